package sagapg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/saga"
)

// Census is how many sagas of a type have a status.
type Census struct {
	Type   string
	Status saga.Status
	Paused bool
	Count  int
	// Overdue is for how long the most overdue timer of them has waited; zero or
	// negative while none is.
	Overdue time.Duration
	// Held counts those that wait for a command to be published.
	Held int
}

// Census counts the sagas that have not ended. It reads as many index entries as
// there are.
func (s *Store) Census(ctx context.Context, db DB) ([]Census, error) {
	rows, _ := db.Query(ctx, s.query("census"))
	census, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Census, err error) {
		var seconds float64
		err = row.Scan(&c.Type, &c.Status, &c.Paused, &c.Count, &seconds, &c.Held)
		c.Overdue = time.Duration(seconds * float64(time.Second))
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("count the running sagas (safe to retry): %w", err)
	}
	return census, nil
}
