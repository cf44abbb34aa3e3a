package sagasql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"go.example/saga/internal/address"
)

const (
	// lockTimeout bounds how long a step of a migration may wait for a lock, and so
	// how long it makes others queue behind it.
	lockTimeout = time.Second
	// stepTries bounds the repetitions of a step that could not get its lock.
	stepTries = 30
)

// ErrAddress is an address of a database that can be read in two ways. Its text holds
// nothing of the address; to try again is of no use.
var ErrAddress = address.ErrRefused

// Up brings the lines of a database to their newest version. The empty schema is
// public; another one is created where it is missing. Each migration commits by
// itself together with its row in the table saga_migration.
//
// Several processes may call it at the same time for the same database: one works,
// the others wait and find nothing left to do. A step waits at most a second for a
// lock and is repeated up to 30 times. After an error the call may be repeated: what
// has been applied stays and is not applied again.
//
// The url, or keywords in its place, must lead to PostgreSQL itself or to a pooler in
// session mode. Beyond this machine it means sslmode=verify-full unless it says another.
// One that can be read in two ways is [ErrAddress], before anything is connected; no
// error quotes it.
func Up(ctx context.Context, url, schema string, lines ...Line) error {
	schema, err := checkSchema(schema)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	config, err := address.ParseDatabase(url)
	if err != nil {
		return fmt.Errorf("migrate: database URL: %w", err)
	}
	db := stdlib.OpenDB(*config.ConnConfig, stdlib.OptionAfterConnect(prepareSession))
	defer db.Close()
	if err := upLines(ctx, db, schema, lines); err != nil {
		return address.ScrubError(fmt.Errorf("migrate database %s, schema %s: %w", config.ConnConfig.Database, schema, err))
	}
	return nil
}

// upLines holds the lock in a session of its own, because goose looks at the
// database, and makes its table, before it takes a lock. Should that session die, a
// second migration can begin; the book's primary key then lets only one of them commit.
func upLines(ctx context.Context, db *sql.DB, schema string, lines []Line) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := lock(ctx, conn); err != nil {
		return err
	}
	defer unlock(ctx, conn)
	if err := ensureSchema(ctx, conn, schema); err != nil {
		return err
	}
	for _, line := range withCompanions(lines) {
		if err := upLine(ctx, db, schema, line); err != nil {
			return fmt.Errorf("line %s: %w", line, err)
		}
	}
	return nil
}

// companions are lines that come along with others.
var companions = map[Line]Line{Outbox: Relay, Saga: Identity, Inbox: Identity, Participant: Identity}

// withCompanions puts each line's companion behind it.
func withCompanions(lines []Line) []Line {
	var all []Line
	for _, line := range lines {
		for _, l := range []Line{line, companions[line]} {
			if l != "" && !slices.Contains(all, l) {
				all = append(all, l)
			}
		}
	}
	return all
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
		goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	err = retryWhileBusy(ctx, func() error {
		_, err := provider.Up(ctx)
		return err
	})
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		return fmt.Errorf("file %s: %w", partial.Failed.Source.Path, partial.Err)
	}
	return err
}

// retryWhileBusy repeats a step while another session holds its lock, or the two stood
// in each other's way.
func retryWhileBusy(ctx context.Context, step func() error) error {
	const lockNotAvailable, deadlockDetected = "55P03", "40P01"
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := step()
		var pgErr *pgconn.PgError
		if err == nil || errors.As(err, &pgErr) && (pgErr.Code == lockNotAvailable || pgErr.Code == deadlockDetected) {
			return struct{}{}, err
		}
		return struct{}{}, backoff.Permanent(err)
	}, backoff.WithMaxTries(stepTries), backoff.WithBackOff(backoff.NewConstantBackOff(lockTimeout/10)))
	return err
}
