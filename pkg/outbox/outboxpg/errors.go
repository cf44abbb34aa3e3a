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
	// ErrForeign: the position was written in another cluster, so its
	// transaction numbers mean nothing here.
	ErrForeign = errors.New("the outbox was restored from another cluster")
)

// HeldError says that another relay holds the lease. Try again later.
type HeldError struct{ Holder string }

func (e *HeldError) Error() string { return "the lease is held by relay " + e.Holder }

// foreign words what to do about a restored dump. why says how it was noticed.
func foreign(why string) error {
	return fmt.Errorf("%w: %s. Nothing is lost and nothing is published until you say from where to go on: "+
		"`SELECT outbox_rebase(ID)` counts rows below that id as published and publishes the others again; "+
		"outbox_rebase(1) publishes all, with the same message ids as before", ErrForeign, why)
}

// explain turns the errors that have a known cure into their sentinels.
func explain(err error) error {
	const undefinedTable, invalidSchema = "42P01", "3F000"
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && (pgErr.Code == undefinedTable || pgErr.Code == invalidSchema) {
		return fmt.Errorf("%w (%w)", ErrNotInstalled, err)
	}
	return err
}
