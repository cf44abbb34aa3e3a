package sagapg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/saga"
)

// Selection chooses sagas: those that fit all of its fields. A zero field leaves open.
type Selection struct {
	Statuses []saga.Status
	Type     string
	// BusinessKey needs the Type in which it is unique.
	BusinessKey string
	// Step names a step that is under way or parked.
	Step string
	// StartedBefore and StartedAfter are by the database's clock, see [Store.Clock].
	StartedBefore, StartedAfter time.Time
	// Failure is what turned them back.
	Failure    saga.FailureClass
	ParkReason saga.ParkReason
	// Stuck ones need somebody: they are parked, or overdue.
	Stuck bool
	// Overdue ones should have been acted upon some seconds ago: is an orchestrator running?
	Overdue, Parked, Paused bool
	// Running leaves out those that have ended.
	Running bool
	// Below leaves out this id and the newer ones: it is the last of the page before.
	Below saga.ID
	// Limit bounds how many are returned, the newest of them.
	Limit int
}

// MaxFound is the highest limit of a [Selection].
const MaxFound = 100_000

// ErrSelection: what is asked for is not a selection.
var ErrSelection = errors.New("no such selection of sagas")

// Validate says what is wrong, as an [ErrSelection].
func (s Selection) Validate() error {
	switch {
	case s.Limit < 1 || s.Limit > MaxFound:
		return fmt.Errorf("%w: the limit is %d, want 1 to %d", ErrSelection, s.Limit, MaxFound)
	case s.BusinessKey != "" && s.Type == "":
		return fmt.Errorf("%w: a business key is unique within a type: name the type too", ErrSelection)
	case !known(s.Statuses, statuses):
		return fmt.Errorf("%w: the status is none of %v", ErrSelection, statuses)
	case s.Failure != "" && !slices.Contains(failures, s.Failure):
		return fmt.Errorf("%w: the class of the failure is none of %v", ErrSelection, failures)
	case s.ParkReason != "" && !slices.Contains(parkReasons, s.ParkReason):
		return fmt.Errorf("%w: the reason of being parked is none of %q", ErrSelection, parkReasons)
	case s.runs() && slices.ContainsFunc(s.Statuses, saga.Status.Terminal):
		return fmt.Errorf("%w: one of %v has ended, and the rest is about what has not", ErrSelection, s.Statuses)
	}
	return nil
}

var (
	statuses = []saga.Status{
		saga.StatusStarted, saga.StatusCompleted, saga.StatusAborting, saga.StatusAborted, saga.StatusParked, saga.StatusKilled,
	}
	failures = []saga.FailureClass{
		saga.FailureRefused, saga.FailureUnknown, saga.FailureUnavailable, saga.FailureUnsignalled, saga.FailureCondition, saga.FailureDeadline, saga.FailureAborted,
	}
	parkReasons = []saga.ParkReason{
		saga.ParkExhausted, saga.ParkRefused, saga.ParkUnavailable, saga.ParkUndeliverable, saga.ParkContradiction, saga.ParkUnsignalled, saga.ParkCondition,
	}
)

func known[T comparable](given, all []T) bool {
	return !slices.ContainsFunc(given, func(v T) bool { return !slices.Contains(all, v) })
}

// runs says that what has ended is left out.
func (s Selection) runs() bool {
	return s.Running || s.Stuck || s.Overdue || s.Parked || s.Paused || s.Step != "" || s.ParkReason != ""
}

func (s Selection) args() []any {
	statuses := s.Statuses
	if len(statuses) == 0 {
		statuses = nil
	}
	var below *uuid.UUID
	if s.Below != (saga.ID{}) {
		below = new(uuid.UUID(s.Below))
	}
	return []any{
		// The way to the rows depends on the values: a plan for all of them would be the wrong one.
		pgx.QueryExecModeCacheDescribe,
		s.runs() || len(statuses) > 0 && !slices.ContainsFunc(statuses, saga.Status.Terminal), s.Type, s.BusinessKey, below, statuses, s.Step, optional(s.StartedBefore), optional(s.StartedAfter),
		string(s.Failure), string(s.ParkReason), s.Stuck, s.Overdue, s.Parked, s.Paused, s.Limit,
	}
}

// Find returns the ids of the sagas of the selection, the newest first.
func (s *Store) Find(ctx context.Context, db DB, which Selection) ([]saga.ID, error) {
	if err := which.Validate(); err != nil {
		return nil, err
	}
	rows, _ := db.Query(ctx, s.query("find"), which.args()...)
	ids, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (saga.ID, error) {
		var id uuid.UUID
		err := row.Scan(&id)
		return saga.ID(id), err
	})
	if err != nil {
		return nil, fmt.Errorf("find sagas (safe to retry): %w", err)
	}
	return ids, nil
}

// Overviews returns the lines of the sagas, in the order of the ids. One that is gone
// is left out.
func (s *Store) Overviews(ctx context.Context, db DB, ids []saga.ID) ([]Overview, error) {
	rows, _ := db.Query(ctx, s.query("overviews"), uuids(ids))
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (o Overview, err error) {
		err = row.Scan(o.fields()...)
		return o, err
	})
	if err != nil {
		return nil, fmt.Errorf("look at %d sagas (safe to retry): %w", len(ids), err)
	}
	return list, nil
}

// Clock is the database's time, from which ages of sagas are to be counted.
func (s *Store) Clock(ctx context.Context, db DB) (time.Time, error) {
	var now time.Time
	if err := db.QueryRow(ctx, s.query("clock")).Scan(&now); err != nil {
		return time.Time{}, fmt.Errorf("ask for the database's time (safe to retry): %w", err)
	}
	return now, nil
}
