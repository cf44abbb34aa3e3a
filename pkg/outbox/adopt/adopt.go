package adopt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	sagasql "go.example/saga/sql"
)

const (
	// lockTimeout bounds how long a step may wait for a lock, and so how long it
	// makes others queue behind it.
	lockTimeout = "1s"
	// tries bounds the repetitions of an adoption that could not get its locks.
	tries = 30
	pause = 100 * time.Millisecond
)

// Prepare says what [Apply] would do, and changes nothing. The error lists what is
// wrong with the mapping.
func Prepare(ctx context.Context, pool *pgxpool.Pool, schema string, m Mapping) (Plan, error) {
	var p Plan
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		p, err = prepare(ctx, tx, schema, m)
		return err
	})
	return p, explain(pool, err)
}

// Apply makes the table of a mapping the outbox of a schema, the empty one being
// public, creates the schema and the relay's tables where they are missing, and
// returns what it did. It needs the rights of the table's owner, and to create schemas.
//
// The table is changed in one transaction, which waits at most a second for a lock and
// is repeated up to 30 times. After an error the call can be repeated: what is there
// is left as it is. Several may call it at the same time.
func Apply(ctx context.Context, pool *pgxpool.Pool, schema string, m Mapping) (Plan, error) {
	var p Plan
	err := retryWhileBusy(ctx, func() error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) (err error) {
			p, err = apply(ctx, tx, schema, m)
			return err
		})
	})
	if err != nil {
		return Plan{}, explain(pool, err)
	}
	return p, sagasql.Up(ctx, pool.Config().ConnString(), schema, sagasql.Relay)
}

func explain(pool *pgxpool.Pool, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("adopt a table of database %s: %w", pool.Config().ConnConfig.Database, err)
}

func prepare(ctx context.Context, tx pgx.Tx, schema string, m Mapping) (Plan, error) {
	if err := errors.Join(sagasql.CheckSchema(schema), m.Validate()); err != nil {
		return Plan{}, err
	}
	t, err := readTable(ctx, tx, m)
	if err != nil {
		return Plan{}, err
	}
	if err := errors.Join(t.check(), checkColumns(t, m)); err != nil {
		return Plan{}, err
	}
	s, err := readStanding(ctx, tx, schema)
	if err != nil {
		return Plan{}, err
	}
	return plan(t, s, schema, m)
}

// apply plans under the lock, so that the plan still holds when it is carried out.
func apply(ctx context.Context, tx pgx.Tx, schema string, m Mapping) (Plan, error) {
	if _, err := tx.Exec(ctx, sagasql.Query("", "adopt/session.sql"), lockTimeout); err != nil {
		return Plan{}, fmt.Errorf("prepare the session: %w", err)
	}
	if _, err := tx.Exec(ctx, sagasql.Query("", "adopt/lock.sql")); err != nil {
		return Plan{}, fmt.Errorf("wait for another adoption: %w", err)
	}
	p, err := prepare(ctx, tx, schema, m)
	if err != nil {
		return Plan{}, err
	}
	for i, step := range p.Steps {
		if _, err := tx.Exec(ctx, step); err != nil {
			return Plan{}, fmt.Errorf("step %d of %d: %w", i+1, len(p.Steps), err)
		}
	}
	return p, nil
}

// retryWhileBusy repeats while another session holds a lock, or the two stood in each
// other's way.
func retryWhileBusy(ctx context.Context, work func() error) error {
	const lockNotAvailable, deadlockDetected = "55P03", "40P01"
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := work()
		var pgErr *pgconn.PgError
		if err == nil || errors.As(err, &pgErr) && (pgErr.Code == lockNotAvailable || pgErr.Code == deadlockDetected) {
			return struct{}{}, err
		}
		return struct{}{}, backoff.Permanent(err)
	}, backoff.WithMaxTries(tries), backoff.WithBackOff(backoff.NewConstantBackOff(pause)))
	return err
}
