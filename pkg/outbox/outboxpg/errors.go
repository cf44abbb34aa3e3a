package outboxpg

import (
	"errors"
	"fmt"
	"strings"

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

// RightsError says what the database's role lacks for a task, and how to heal it.
type RightsError struct {
	// Task is one of the tasks that [MissingRight] names.
	Task string
	// Statements heal it, each run by somebody who may.
	Statements []string
}

func (e *RightsError) Error() string {
	return fmt.Sprintf("the database role lacks rights for the task %s (SQLSTATE 42501), which these statements of an owner give: %s", e.Task, strings.Join(e.Statements, "; "))
}

// SQLState is the code of the database's error in err; empty where none is. A
// [RightsError] has that of a right that is missing.
func SQLState(err error) string {
	var rights *RightsError
	var pgErr *pgconn.PgError
	switch {
	case errors.As(err, &rights):
		return insufficientPrivilege
	case errors.As(err, &pgErr):
		return pgErr.Code
	default:
		return ""
	}
}

// LacksRights says that err is about a right that is missing.
func LacksRights(err error) bool { return SQLState(err) == insufficientPrivilege }

// Refused says that the database is there and answered with an error, which connecting
// again does not heal: not that it stops, starts or has no connection left.
func Refused(err error) bool {
	code := SQLState(err)
	const tooManyConnections, queryCanceled = "53300", "57014"
	switch {
	case code == "", code == tooManyConnections, strings.HasPrefix(code, "08"):
		return false
	case strings.HasPrefix(code, "57"):
		return code == queryCanceled
	}
	return true
}

// explain turns the errors that have a known cure into their sentinels, or adds the cure.
func explain(err error) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return err
	}
	switch pgErr.Code {
	case undefinedTable, undefinedFunction, invalidSchema:
		return fmt.Errorf("%w (%w)", ErrNotInstalled, err)
	case moved:
		return fmt.Errorf("%w (%w)", ErrMoved, err)
	}
	if cure := cureOf(pgErr); cure != "" {
		return fmt.Errorf("%w: %s", err, cure)
	}
	return err
}
