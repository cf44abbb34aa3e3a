package sagasql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

const (
	// lockTimeout bounds how long a step of a migration may wait for a lock, and so
	// how long it makes others queue behind it.
	lockTimeout = time.Second
	// stepTries bounds the repetitions of a step that could not get its lock.
	stepTries = 30
)

// Up brings the lines of a database to their newest version. The empty schema is
// public; another one is created where it is missing. Each migration commits by
// itself together with its row in the table saga_migration.
//
// Several processes may call it at the same time for the same database: one works,
// the others wait and find nothing left to do. A step waits at most a second for a
// lock and is repeated up to 30 times. After an error the call may be repeated: what
// has been applied stays and is not applied again.
//
// The url must lead to PostgreSQL itself or to a pooler in session mode.
func Up(ctx context.Context, url, schema string, lines ...Line) error {
	schema, err := checkSchema(schema)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("migrate: database URL: %w", err) // pgx leaves the password out
	}
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(prepareSession))
	defer db.Close()
	for _, line := range lines {
		if err := upLine(ctx, db, schema, line); err != nil {
			return fmt.Errorf("migrate database %s, schema %s, line %s: %w", config.Database, schema, line, err)
		}
	}
	return nil
}

// prepareSession empties search_path, so that a migration that forgets to name its
// schema fails in every test, and bounds the wait for locks.
func prepareSession(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, fmt.Sprintf("SET search_path = ''; SET lock_timeout = %d", lockTimeout.Milliseconds()))
	return err
}

// upLine runs a line's migrations, again and again while a lock is busy: those that
// were applied before are not repeated.
func upLine(ctx context.Context, db *sql.DB, schema string, line Line) error {
	folder, err := openLine(schema, line)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectCustom, db, folder,
		goose.WithStore(book{schema, line}),
		goose.WithSessionLocker(locker{schema}),
		goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		_, err := provider.Up(ctx)
		if err != nil && !isBusy(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithMaxTries(stepTries), backoff.WithBackOff(backoff.NewConstantBackOff(lockTimeout/10)))

	var partial *goose.PartialError
	if errors.As(err, &partial) {
		return fmt.Errorf("file %s: %w", partial.Failed.Source.Path, partial.Err)
	}
	return err
}

// isBusy tells the errors that go away by themselves: another session holds the lock,
// or the two stood in each other's way.
func isBusy(err error) bool {
	const lockNotAvailable, deadlockDetected = "55P03", "40P01"
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (pgErr.Code == lockNotAvailable || pgErr.Code == deadlockDetected)
}
