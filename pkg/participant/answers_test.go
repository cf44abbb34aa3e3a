package participant_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// door is a queue of which it is known whether somebody consumes it.
type door struct {
	arrive chan inbox.Delivery
	open   atomic.Bool
}

func (d *door) enter(context.Context, sagasql.Service) (inbox.Source, error) {
	d.open.Store(true)
	return d, nil
}

func (d *door) Receive(ctx context.Context, _ int) (inbox.Batch, error) {
	select {
	case delivery := <-d.arrive:
		return arrived{delivery}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (d *door) Close() error {
	d.open.Store(false)
	return nil
}

type arrived struct{ delivery inbox.Delivery }

func (a arrived) Deliveries() []inbox.Delivery { return []inbox.Delivery{a.delivery} }
func (a arrived) Ack() error                   { return nil }
func (a arrived) AckOnly(int) error            { return nil }

// A participant takes commands only while its answers leave: not before a relay serves its
// outbox, and not while one that does publishes nothing.
func TestNoCommandsAreTakenWhileAnswersLie(t *testing.T) {
	b := setUp(t)
	queue := &door{arrive: make(chan inbox.Delivery)}
	var mu sync.Mutex
	var trouble error
	cfg := b.Config
	cfg.WithoutRelay, cfg.Open = false, queue.enter
	cfg.Report = func(err error) {
		mu.Lock()
		defer mu.Unlock()
		trouble = err
	}
	p, err := participant.New(cfg)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	defer func() {
		stop()
		require.NoError(t, <-ended)
	}()
	do := func(query string) {
		t.Helper()
		_, err := b.DB.Exec(t.Context(), query)
		require.NoError(t, err)
	}
	await := func(open bool, what string) {
		t.Helper()
		require.Eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return queue.open.Load() == open && errors.Is(trouble, participant.ErrAnswersLie) == !open
		}, soon, often, what)
	}
	ask := func() {
		t.Helper()
		id := newSaga()
		queue.arrive <- command(id, "work", saga.Request, 1, "")
		require.Eventually(t, func() bool { return len(b.answers(id)) == 1 }, soon, often)
	}
	await(false, "nobody serves it")
	do(`UPDATE outbox_position SET holder = 'relay', lease_until = now() + interval '5 min', lease_for = '5 min'`)
	await(true, "a relay does")
	ask()
	await(false, "it publishes nothing")
	do(`UPDATE outbox_position SET settled = pg_current_snapshot()`)
	await(true, "it has published all")
	ask()
	do(`UPDATE outbox_position SET holder = NULL, lease_until = NULL, lease_for = NULL`)
	await(false, "it is gone")
	do(`UPDATE outbox_position SET settled = pg_current_snapshot(), holder = 'next', lease_until = now() + interval '5 min', lease_for = '5 min'`)
	await(true, "another has published all")
}
