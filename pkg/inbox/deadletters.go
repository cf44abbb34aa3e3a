package inbox

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// SetAsideDeadLetters is a [Handler] for the queue of what a service's other queues have
// given up: it sets everything aside, for the queue in which it lay.
func SetAsideDeadLetters(_ context.Context, _ pgx.Tx, ds []Delivery) ([]Rejection, error) {
	all := make([]Rejection, len(ds))
	for i, d := range ds {
		all[i] = Rejection{Index: i, Code: DeadLetter, Reason: "the queue " + d.Queue + " has given it up: it came back undone too often, or was rejected"}
	}
	return all, nil
}
