package sagapg

import (
	"context"
	"fmt"
	"time"
)

// clockSlack is how far in the future a row may be: clocks are set by fractions of a
// second all the time. recount.sql has the same.
const clockSlack = time.Second

// Recount counts the waits of at most limit running sagas anew that were written in the
// future, because the database's clock has gone back since: by the clock as it is now
// they would end late by as much. Afterwards each ends when its own length has passed
// from now, at the latest. It returns how many there were, and how far ahead the furthest.
// It reads all sagas that have not ended. Safe to repeat, and to run at several places.
func (s *Store) Recount(ctx context.Context, db DB, limit int) (sagas int, furthest time.Duration, err error) {
	var micros int64
	if err := db.QueryRow(ctx, s.query("recount"), limit).Scan(&sagas, &micros); err != nil {
		return 0, 0, fmt.Errorf("look for sagas that were written in the future (safe to retry): %w", err)
	}
	return sagas, time.Duration(micros) * time.Microsecond, nil
}

// recount does the same for a saga that this transaction has locked.
func (l *Loaded) recount(now time.Time) {
	ahead := l.State.UpdatedAt.Sub(now)
	if ahead <= clockSlack {
		return
	}
	if !l.State.Deadline.IsZero() {
		l.State.Deadline = l.State.Deadline.Add(-ahead)
	}
	for i := range l.State.Steps {
		if step := &l.State.Steps[i]; !step.WakeAt.IsZero() {
			step.WakeAt = step.WakeAt.Add(-ahead)
		}
	}
}
