package watcher

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Late is how many courses of a choreography wait for a service that should have published
// by now. One that waits for two counts for both.
type Late struct {
	Choreography, Service string
	Courses               int64
}

// Late counts them, of all choreographies whose courses are in the table.
func (w *Watcher) Late(ctx context.Context) ([]Late, error) {
	rows, _ := w.DB.Query(ctx, w.late)
	late, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Late])
	if err != nil {
		return nil, fmt.Errorf("count the courses that are late (safe to retry): %w", err)
	}
	return late, nil
}
