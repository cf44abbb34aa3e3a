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
	// ErrNoShard: the log has fewer shards.
	ErrNoShard = errors.New("the outbox has no such shard")
)

// HeldError says that another relay holds the lease. Try again later.
type HeldError struct{ Holder string }

func (e *HeldError) Error() string { return "the lease is held by relay " + e.Holder }

// explain turns the errors that have a known cure into their sentinels.
func explain(err error) error {
	const undefinedTable, undefinedFunction, invalidSchema = "42P01", "42883", "3F000"
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) &&
		(pgErr.Code == undefinedTable || pgErr.Code == undefinedFunction || pgErr.Code == invalidSchema) {
		return fmt.Errorf("%w (%w)", ErrNotInstalled, err)
	}
	return err
}
