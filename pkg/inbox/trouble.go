package inbox

import (
	"context"
	"errors"
	"sync"
	"time"

	sagasql "go.example/saga/sql"
)

// ErrBroker marks what a consumer is in trouble about as the broker's.
var ErrBroker = errors.New("the broker")

var errStopped = errors.New("the consumer has stopped")

// Rights are what every consumer's role needs, whatever its handler does.
var Rights = []sagasql.Right{
	{On: "inbox_quarantine", Privileges: "SELECT, INSERT, UPDATE, DELETE"},
	sagasql.RightToKnowService,
}

// trouble is what keeps a consumer from working: a lack of rights, which is found
// beside the work, and what its last round failed of. Safe for concurrent use.
type trouble struct {
	report func(error)

	mu           sync.Mutex
	rights, work error
	begun        bool // something was reported
}

// ofWork keeps how the last round went. Each failure is reported, a success after one.
func (t *trouble) ofWork(err error) { t.keep(&t.work, err) }

// ofRights does the same for a look at the rights.
func (t *trouble) ofRights(err error) { t.keep(&t.rights, err) }

func (t *trouble) keep(place *error, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	// That the rights suffice is no session yet.
	if err == nil && *place == nil && (t.begun || place == &t.rights) {
		return
	}
	*place, t.begun = err, true
	if t.work != nil {
		t.report(t.work)
	} else {
		t.report(t.rights)
	}
}

// prove holds that the database answers, and that the role has the rights that the work
// needs: without them a session would use up the queue's x-delivery-limit for nothing.
func (c *consumer) prove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, proveTime)
	defer cancel()
	return sagasql.CheckRights(ctx, c.DB, c.Schema, c.Rights...)
}

// proveTime bounds the wait for a database that may have fallen silent.
const proveTime = 5 * time.Second

// watchRights proves the rights again and again until ctx ends: of a right that was taken
// away a consumer without messages would hear nothing.
func (c *consumer) watchRights(ctx context.Context) {
	for ctx.Err() == nil {
		wait(ctx, c.timing.prove)
		err := c.prove(ctx)
		var missing *sagasql.RightsError
		switch {
		case err == nil:
			c.trouble.ofRights(nil)
		case errors.As(err, &missing): // of other errors the work hears as well
			c.trouble.ofRights(err)
		}
	}
}
