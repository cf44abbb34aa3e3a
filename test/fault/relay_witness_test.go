package fault

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/rabbit"
)

// witness takes all messages from the queue and remembers which it has seen first and
// when. Its session with the broker is opened again when it breaks.
type witness struct {
	road *road

	mu       sync.Mutex
	seen     map[uuid.UUID]bool
	last     map[int]int64 // number of the message of each key that was new last
	arrived  int           // repetitions included
	disorder error         // the first
}

// watch declares the queue and begins to take what comes, until the test ends.
func (r *road) watch() *witness {
	r.Helper()
	return r.watchFrom(map[int]int64{})
}

// watchFrom is watch where some messages of the keys were published before.
func (r *road) watchFrom(last map[int]int64) *witness {
	r.Helper()
	w := &witness{road: r, seen: map[uuid.UUID]bool{}, last: last}
	require.NoError(r, rabbit.Declare(r.Context(), w.config(), rabbit.EventTopology(testenv.Owner, testQueue)))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		again := time.NewTicker(50 * time.Millisecond)
		defer again.Stop()
		for ctx.Err() == nil {
			w.listen(ctx)
			select {
			case <-again.C:
			case <-ctx.Done():
			}
		}
	}()
	r.Cleanup(func() {
		stop()
		<-ended
		if r.Failed() {
			arrived, repeated := w.count()
			r.Logf("%d messages came, %d of them again; the outbox: %s", arrived, repeated, r.standing())
		}
	})
	return w
}

// standing is what the database knows, for who has to find out why a test failed.
func (r *road) standing() (text string) {
	err := r.db.QueryRow(context.Background(), `SELECT concat_ws(E'\n', (SELECT count(*) FROM public.outbox) || ' rows',
		(SELECT string_agg(l::text, E'\n') FROM public.outbox_lag AS l), (SELECT string_agg(p::text, E'\n') FROM public.outbox_position AS p),
		(SELECT string_agg(k.state || ' ' || k.n, ', ') FROM (SELECT state, count(*) AS n FROM public.outbox_parked GROUP BY state) AS k))`).Scan(&text)
	if err != nil {
		return err.Error()
	}
	return text
}

func (w *witness) config() rabbit.Config {
	return rabbit.Config{Name: "witness", URL: func(context.Context) (string, error) { return w.road.broker, nil }}
}

// listen is one session.
func (w *witness) listen(ctx context.Context) {
	consumer, err := rabbit.OpenConsumer(ctx, w.config(), rabbit.EventTopology(testenv.Owner, testQueue), testQueue, 1000)
	if err != nil {
		return
	}
	defer func() { _ = consumer.Close() }()
	for {
		batch, err := consumer.Receive(ctx, 1000)
		if err != nil {
			return
		}
		w.take(batch.Deliveries())
		if batch.Ack() != nil {
			return
		}
	}
}

func (w *witness) take(deliveries []inbox.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range deliveries {
		w.arrived++
		id, err := uuid.Parse(d.MessageID)
		if err != nil || w.seen[id] {
			continue // what is no id is missed at the end
		}
		w.seen[id] = true
		var key int
		var number int64
		if _, err := fmt.Sscanf(d.Type, "%d:%d", &key, &number); err != nil || number != w.last[key]+1 {
			if w.disorder == nil {
				w.disorder = fmt.Errorf("%s came after number %d of its key", d.Type, w.last[key])
			}
		}
		w.last[key] = number
	}
}

// count is how many messages have come, and how many of them were repetitions.
func (w *witness) count() (arrived, repeated int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.arrived, w.arrived - len(w.seen)
}

// distinct is how many different messages have come.
func (w *witness) distinct() int {
	arrived, repeated := w.count()
	return arrived - repeated
}

// await waits until so many different messages have come; in vain when the writers have
// ended early.
func (w *witness) await(distinct int) {
	w.road.Helper()
	trouble := &w.road.trouble
	require.Eventually(w.road, func() bool { return w.distinct() >= distinct || trouble.Load() != nil },
		patience, time.Millisecond, "%d messages arrive", distinct)
	if err := trouble.Load(); err != nil {
		w.road.Fatalf("the writers have ended early: %v", *err)
	}
}

// requireAll waits until nothing is on its way any more and compares what came with
// what is committed: each message of it, no other, and those of each key in order.
func (w *witness) requireAll() {
	t, db := w.road, w.road.db
	t.Helper()
	w.await(stacktest.Count(t.T, db, `SELECT count(*) FROM public.outbox`))
	require.Eventually(t, func() bool { return stacktest.Count(t.T, db, `SELECT sum(pending) FROM public.outbox_lag`) == 0 },
		patience, 20*time.Millisecond, "the relay has done its work")
	rows, err := db.Query(t.Context(), `SELECT event_id FROM public.outbox`)
	require.NoError(t, err)
	committed, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	require.NoError(t, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range committed {
		if !w.seen[id] {
			t.Fatalf("%s is committed and did not arrive", id)
		}
	}
	require.Len(t, committed, len(w.seen), "what arrived and is not committed was rolled back")
	require.NoError(t, w.disorder)
}

// requireRepeated is for after requireAll: where so many tenures have ended without a
// farewell, each may have repeated a window. On a machine that is busy with other things
// a relay may also lose its lease by that; this is counted in the database.
func (w *witness) requireRepeated(lost int) {
	w.road.Helper()
	_, repeated := w.count()
	w.road.Logf("%d messages repeated by %d tenures that ended early", repeated, lost)
	require.LessOrEqual(w.road, repeated, lost*window)
}
