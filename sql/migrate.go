package sagasql

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

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
// itself together with its row in the table saga_migration. One whose objects are all
// there, because somebody has run its file, is noted and not run.
//
// Several processes may call it at the same time for the same database: one works,
// the others wait and find nothing left to do. A step waits at most a second for a
// table's lock and is repeated up to 30 times. After an error the call may be repeated: what
// has been applied stays and is not applied again. Nothing is left behind in the session,
// so a pooler in transaction mode may be in between.
//
// The url, or keywords in its place, beyond this machine means sslmode=verify-full unless it
// says another. One that can be read in two ways is [ErrAddress], before anything is
// connected; no error quotes it.
func Up(ctx context.Context, url, schema string, lines ...Line) error {
	schema, err := checkSchema(schema)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	config, err := address.ParseDatabase(url)
	if err != nil {
		return fmt.Errorf("migrate: database URL: %w", err)
	}
	if err := up(ctx, config.ConnConfig, schema, lines); err != nil {
		return address.ScrubError(fmt.Errorf("migrate database %s, schema %s: %w", config.ConnConfig.Database, schema, err))
	}
	return nil
}

func up(ctx context.Context, config *pgx.ConnConfig, schema string, lines []Line) error {
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // prepares nothing
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	m := migrator{conn, schema}
	for _, line := range withCompanions(lines) {
		if err := m.up(ctx, line); err != nil {
			return fmt.Errorf("line %s: %w", line, err)
		}
	}
	return nil
}

// companions are lines that come along with others.
var companions = map[Line][]Line{
	Outbox: {Relay}, Saga: {Identity, Instruction}, Inbox: {Identity}, Participant: {Identity, Instruction},
}

// withCompanions puts each line's companions behind it.
func withCompanions(lines []Line) []Line {
	var all []Line
	for _, line := range lines {
		for _, l := range append([]Line{line}, companions[line]...) {
			if !slices.Contains(all, l) {
				all = append(all, l)
			}
		}
	}
	return all
}

// migrator brings lines up to date in one schema, over one connection.
type migrator struct {
	conn   *pgx.Conn
	schema string
}

// query is a statement about the book of migrations, the table saga_migration.
func (m migrator) query(name string) string { return Query(m.schema, "migration/"+name+".sql") }

// up applies what a line lacks. Where nothing is missing it reads the book and no more, so
// that it needs no right but that.
func (m migrator) up(ctx context.Context, line Line) error {
	all, err := migrationsOf(line)
	if err != nil {
		return err
	}
	var applied []int64
	err = m.transact(ctx, func(tx pgx.Tx) (err error) {
		applied, err = m.applied(ctx, tx, line)
		return err
	})
	if err != nil {
		return err
	}
	for _, file := range all {
		if slices.Contains(applied, file.version) {
			continue
		}
		if err := m.transact(ctx, func(tx pgx.Tx) error { return m.apply(ctx, tx, line, file) }); err != nil {
			return fmt.Errorf("file %s: %w", file.name, err)
		}
	}
	return nil
}

// transact does a step in a transaction whose settings do not depend on who runs it, again
// and again while a lock is busy.
func (m migrator) transact(ctx context.Context, step func(pgx.Tx) error) error {
	return retryWhileBusy(ctx, func() error {
		return pgx.BeginTxFunc(ctx, m.conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, m.query("settings"), strconv.FormatInt(lockTimeout.Milliseconds(), 10)); err != nil {
				return fmt.Errorf("prepare the transaction: %w", err)
			}
			return step(tx)
		})
	})
}

// applied are the versions of a line that the book has.
func (m migrator) applied(ctx context.Context, tx pgx.Tx, line Line) ([]int64, error) {
	var exists bool
	err := tx.QueryRow(ctx, m.query("exists")).Scan(&exists)
	if err != nil || !exists {
		return nil, err
	}
	rows, _ := tx.Query(ctx, m.query("list"), string(line))
	versions, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	return versions, nil
}

// apply runs one migration, unless another process has been here or its objects are there.
func (m migrator) apply(ctx context.Context, tx pgx.Tx, line Line, file migration) error {
	if _, err := tx.Exec(ctx, m.query("lock")); err != nil {
		return fmt.Errorf("wait for another migration: %w", err)
	}
	applied, err := m.applied(ctx, tx, line)
	if err != nil || slices.Contains(applied, file.version) {
		return err
	}
	if err := m.prepare(ctx, tx); err != nil {
		return err
	}
	there, err := m.isThere(ctx, tx, file)
	if err != nil {
		return err
	}
	if !there {
		// As psql sends it: all statements in one text.
		if _, err := tx.Conn().PgConn().Exec(ctx, withSchema(file.text, m.schema)).ReadAll(); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, m.query("insert"), string(line), file.version); err != nil {
		return fmt.Errorf("note it in saga_migration: %w", err)
	}
	return nil
}

// prepare makes the schema and the book where they are missing.
func (m migrator) prepare(ctx context.Context, tx pgx.Tx) error {
	var schema, book bool
	if err := tx.QueryRow(ctx, m.query("schema_exists"), m.schema).Scan(&schema); err != nil {
		return fmt.Errorf("look for the schema: %w", err)
	}
	if !schema {
		if _, err := tx.Exec(ctx, `CREATE SCHEMA "`+m.schema+`"`); err != nil {
			return fmt.Errorf("create the schema: %w", err)
		}
	}
	if err := tx.QueryRow(ctx, m.query("exists")).Scan(&book); err != nil || book {
		return err
	}
	text, err := fs.ReadFile(files, "migration/create.sql")
	if err != nil {
		return err
	}
	_, err = tx.Conn().PgConn().Exec(ctx, withSchema(string(text), m.schema)).ReadAll()
	return err
}

// isThere says whether all that the migration makes is there. A part of it is an error: it may
// be anybody's.
func (m migrator) isThere(ctx context.Context, tx pgx.Tx, file migration) (bool, error) {
	kinds, names := file.makes()
	rows, _ := tx.Query(ctx, m.query("found"), kinds, names)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(found) == 0 {
		return false, err
	}
	for _, name := range names {
		if !slices.Contains(found, name) {
			return false, fmt.Errorf("%q already exists, but %q does not: drop or rename what stands in the way, or run the rest of the file",
				found[0], name)
		}
	}
	return true, nil
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
