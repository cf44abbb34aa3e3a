package outboxpg

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

var (
	// ErrLost: the lease has passed to another relay. Stop publishing at once;
	// nothing was written.
	ErrLost = errors.New("another relay has taken the lease over")
	// ErrNotInstalled: the outbox tables are not there (yet).
	ErrNotInstalled = errors.New("the outbox tables are missing: run `relay migrate`, which creates them")
	// ErrForeign: the outbox was restored from a dump, so the numbers of
	// transactions in it mean nothing here.
	ErrForeign = errors.New("the outbox was restored from another cluster")
	// ErrMoved: the server is not the one any more that the position was loaded from: a
	// standby was promoted, or the server was restarted. Nothing was read or written. Give the
	// lease up, and load the position anew by [Log.Acquire].
	ErrMoved = errors.New("the database was restarted or failed over since the position was loaded")
	// errNotServed: no relay has taken a lease in this database yet.
	errNotServed = errors.New("the outbox is not in service yet")
	// ErrNoShard: the log has fewer shards.
	ErrNoShard = errors.New("the outbox has no such shard")
)

// HeldError says that another relay holds the lease. Try again later.
type HeldError struct{ Holder string }

func (e *HeldError) Error() string { return "the lease is held by relay " + e.Holder }

// explain turns the errors that have a known cure into their sentinels.
func explain(err error) error {
	const undefinedTable, undefinedFunction, invalidSchema, moved = "42P01", "42883", "3F000", "SG001"
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return err
	}
	switch pgErr.Code {
	case undefinedTable, undefinedFunction, invalidSchema:
		return fmt.Errorf("%w (%w)", ErrNotInstalled, err)
	case moved:
		return fmt.Errorf("%w (%w)", ErrMoved, err)
	default:
		return err
	}
}
