package inbox_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
)

// watch notes what is in hand.
type watch struct {
	mu     sync.Mutex
	inHand map[string]int
	most   int // transactions side by side
	both   bool
	order  map[string][]string // ids by key
}

// held waits until it is released, or the consumer ends.
func held(ctx context.Context, release chan struct{}) {
	select {
	case <-release:
	case <-ctx.Done():
	}
}

func keyOf(d inbox.Delivery) string { return d.Headers["key"] }

func (w *watch) enter(ds []inbox.Delivery) (leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	keys := map[string]bool{}
	for _, d := range ds {
		keys[keyOf(d)] = true
		w.order[keyOf(d)] = append(w.order[keyOf(d)], d.MessageID)
	}
	for key := range keys {
		w.inHand[key]++
		w.both = w.both || w.inHand[key] > 1
	}
	w.inHand[""]++
	w.most = max(w.most, w.inHand[""])
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for key := range keys {
			w.inHand[key]--
		}
		w.inHand[""]--
	}
}

// Several transactions run side by side, one key is in one of them, and its deliveries are
// handed out in their order, also those that are put off.
func TestWorkersDivideByKey(t *testing.T) {
	const keys, each = 7, 20
	var ds []inbox.Delivery
	want := map[string][]string{}
	for n := range each {
		for k := range keys {
			d := message(fmt.Sprintf("k%d-%03d", k, n), fmt.Sprint(n))
			d.Headers = map[string]string{"key": fmt.Sprint("k", k)}
			ds = append(ds, d)
			want[keyOf(d)] = append(want[keyOf(d)], d.MessageID)
		}
	}
	b := setUp(t, ds...)
	w := &watch{inHand: map[string]int{}, order: map[string][]string{}}
	b.workers = 3
	b.cost = func(inbox.Delivery) (time.Duration, bool) { return inbox.DefaultBudget / 5, false }
	b.start(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
		var later []inbox.Rejection
		for i := len(ds)/2 + 1; i < len(ds); i++ {
			later = append(later, inbox.Rejection{Index: i, Later: true})
		}
		now := ds[:len(ds)-len(later)]
		defer w.enter(now)()
		if _, err := tx.Exec(ctx, `SELECT pg_sleep(0.15)`); err != nil {
			return nil, err
		}
		_, err := store(ctx, tx, now)
		return later, err
	})
	b.awaitAcked(keys * each)
	require.Equal(t, keys*each, b.count(`SELECT count(*) FROM work`))
	require.Zero(t, b.count(`SELECT count(*) FROM inbox_quarantine`))
	w.mu.Lock()
	defer w.mu.Unlock()
	require.False(t, w.both, "a key in two transactions at a time")
	require.Greater(t, w.most, 1)
	require.LessOrEqual(t, w.most, 3)
	require.Equal(t, want, w.order)
}

// What costs more than the budget is alone, and one worker is kept from it.
func TestWhatIsDearLeavesAWorkerFree(t *testing.T) {
	ds := numbers(60)
	for i := range ds {
		ds[i].Headers = map[string]string{"key": ds[i].MessageID}
	}
	for i := range 10 {
		ds[i].Headers["dear"] = "yes"
	}
	b := setUp(t, ds...)
	release := make(chan struct{})
	b.workers = 3
	b.cost = func(d inbox.Delivery) (time.Duration, bool) {
		if d.Headers["dear"] != "" {
			return time.Hour, true
		}
		return inbox.DefaultBudget / 5, false
	}
	var mu sync.Mutex
	largest, company := 0, 0
	b.start(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
		mu.Lock()
		largest = max(largest, len(ds))
		if ds[0].Headers["dear"] != "" {
			company = max(company, len(ds)-1)
		}
		mu.Unlock()
		if ds[0].Headers["dear"] != "" {
			held(ctx, release)
		}
		return store(ctx, tx, ds)
	})
	b.awaitAcked(50)
	close(release)
	b.awaitAcked(60)
	require.Equal(t, 60, b.count(`SELECT count(*) FROM work`))
	require.Zero(t, company, "of what is dear")
	require.Equal(t, 5, largest, "as many as fit into the budget")
}

// All are expected to cost more than the budget, and some of them hang: the last worker
// tries one after the other, and puts off those that hang.
func TestWhatIsExpectedToBeSlowIsTried(t *testing.T) {
	ds := numbers(30)
	for i := range ds {
		ds[i].Headers = map[string]string{"key": ds[i].MessageID}
		if i < 8 {
			ds[i].Headers["hangs"] = "yes"
		}
	}
	b := setUp(t, ds...)
	b.workers = 3
	var certain sync.Map
	b.cost = func(d inbox.Delivery) (time.Duration, bool) {
		_, seen := certain.Load(d.MessageID)
		return time.Hour, seen
	}
	release := make(chan struct{})
	b.start(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
		if ds[0].Headers["hangs"] != "" {
			if inbox.OnTrial(ctx) {
				certain.Store(ds[0].MessageID, true)
				return []inbox.Rejection{{Index: 0, Later: true}}, nil
			}
			held(ctx, release)
		}
		return store(ctx, tx, ds)
	})
	b.awaitAcked(22)
	close(release)
	b.awaitAcked(30)
	require.Equal(t, 30, b.count(`SELECT count(*) FROM work`))
}

// The broker is away while work is in hand: the work goes on, and what comes again waits for it.
func TestWorkOutlivesItsSession(t *testing.T) {
	ds := numbers(2)
	for i := range ds {
		ds[i].Headers = map[string]string{"key": ds[i].MessageID}
	}
	b := setUp(t, ds...)
	var mu sync.Mutex
	begun := map[string]int{}
	release := make(chan struct{})
	b.workers = 2
	b.cost = func(inbox.Delivery) (time.Duration, bool) { return 0, false }
	b.start(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
		mu.Lock()
		for _, d := range ds {
			begun[d.MessageID]++
		}
		first := begun["m000"] == 1 && begun["m002"] == 0
		mu.Unlock()
		if first {
			b.queue.lose()
			held(ctx, release)
		}
		return store(ctx, tx, ds)
	})
	require.Eventually(t, func() bool { sessions, _ := b.queue.counts(); return sessions > 1 }, soon, often)
	other := message("m002", "2")
	other.Headers = map[string]string{"key": "m002"}
	b.queue.put(other)
	b.awaitAcked(1)
	mu.Lock()
	require.Equal(t, 1, begun["m000"])
	mu.Unlock()
	close(release)
	b.awaitAcked(3)
	require.Equal(t, 3, b.count(`SELECT count(*) FROM work`))
}

// What asks again for work that has waited for a while, or is in hand, does not wait behind it.
// The same delivery that comes again does.
func TestWhatIsAskedForAgainDoesNotWait(t *testing.T) {
	named := func(id, work string) inbox.Delivery {
		d := message(id, id)
		d.Headers = map[string]string{"key": work, "work": work}
		return d
	}
	b := setUp(t, named("first", "a"), named("waits", "b"))
	b.workers, b.work = 2, func(d inbox.Delivery) string { return d.Headers["work"] }
	b.cost = func(d inbox.Delivery) (time.Duration, bool) { return time.Hour, true } // so one worker takes these
	release := make(chan struct{})
	var mu sync.Mutex
	repeated := map[string]bool{}
	b.start(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
		for _, d := range ds {
			mu.Lock()
			repeated[d.MessageID] = d.Repeated
			mu.Unlock()
			if d.MessageID == "first" {
				held(ctx, release)
			}
		}
		return store(ctx, tx, ds)
	})
	seen := func(id string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			_, yes := repeated[id]
			return yes
		}
	}
	require.Eventually(t, seen("first"), soon, often)
	b.queue.put(named("again", "a"), named("waits again", "b"), named("waits", "b"))
	require.Eventually(t, seen("again"), soon, often)
	require.Eventually(t, seen("waits again"), soon, often)
	mu.Lock()
	require.True(t, repeated["again"] && repeated["waits again"])
	require.NotContains(t, repeated, "waits")
	mu.Unlock()
	close(release)
	require.Eventually(t, seen("waits"), soon, often)
	mu.Lock()
	defer mu.Unlock()
	require.False(t, repeated["first"] || repeated["waits"])
}

// Nor does it wait, or fail as well, behind one that fails alone and is held.
func TestWhatIsAskedForAgainWhileItIsHeld(t *testing.T) {
	bad := message("first", "bad")
	bad.Headers = map[string]string{"work": "a"}
	b := setUp(t, bad, message("other", "1"))
	b.work = func(d inbox.Delivery) string { return d.Headers["work"] }
	again := message("again", "bad")
	again.Headers = bad.Headers
	b.start(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
		for i := range ds {
			if ds[i].Repeated {
				ds[i].Body = []byte("2") // it is only answered
			}
		}
		return store(ctx, tx, ds)
	})
	b.awaitAcked(1)
	b.queue.put(again)
	b.awaitAcked(2)
	require.Equal(t, 2, b.count(`SELECT count(*) FROM work`))
}
