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
	// Held counts those whose command is not with its participant, by what it waits for.
	Held map[Wait]int
}

// Wait is what a command waits for that is not with its participant.
type Wait string

const (
	WaitRelay    Wait = "relay"    // to be published
	WaitParked   Wait = "parked"   // behind a message that the relay has set aside
	WaitConsumer Wait = "consumer" // that somebody takes it from its queue, or for that queue
	WaitBroker   Wait = "broker"   // that the broker can be asked about its queue
)

// Census counts the sagas that have not ended. It reads as many index entries as
// there are.
func (s *Store) Census(ctx context.Context, db DB) ([]Census, error) {
	rows, _ := db.Query(ctx, s.query("census"))
	census, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Census, err error) {
		var seconds float64
		var relay, parked, consumer, broker int
		err = row.Scan(&c.Type, &c.Status, &c.Paused, &c.Count, &seconds, &relay, &parked, &consumer, &broker)
		c.Held = map[Wait]int{WaitRelay: relay, WaitParked: parked, WaitConsumer: consumer, WaitBroker: broker}
		c.Overdue = time.Duration(seconds * float64(time.Second))
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("count the running sagas (safe to retry): %w", err)
	}
	return census, nil
}
