package relay

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/desk"
	"go.example/saga/pkg/rabbit"
)

const called = "test.called" // the exchange of what is called

// script is a Caller that does what a test says. Which messages are called how often it
// remembers by type.
type script struct {
	// do is one call, the n-th of its message from 1 on.
	do func(ctx context.Context, r *outbox.Record, n int) Called

	mu       sync.Mutex
	calls    map[string]int
	accepted map[string]time.Duration
}

func (s *script) Carries(r *outbox.Record) bool { return r.Exchange == called }

func (s *script) Begin(r *outbox.Record, before Before) (func(context.Context) Called, Called) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls == nil {
		s.calls, s.accepted = map[string]int{}, map[string]time.Duration{}
	}
	s.calls[r.Type]++
	s.accepted[r.Type] = before.Accepted
	n := s.calls[r.Type]
	return func(ctx context.Context) Called { return s.do(ctx, r, n) }, Called{}
}

func (s *script) count(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[name]
}

// answerTo answers into the queue of the tests.
func answerTo(r *outbox.Record) Called {
	return Called{Answer: &outbox.Record{Position: r.Position, CreatedAt: r.CreatedAt, Message: outbox.Message{
		ID: uuid.NewSHA1(uuid.Nil, []byte(r.Type)), Type: "answer to " + r.Type, RoutingKey: queue, Payload: []byte("{}"), AggregateID: r.AggregateID,
	}}}
}

func (b *bundle) scripted(holder string, do func(context.Context, *outbox.Record, int) Called) (Config, *script) {
	s := &script{do: do}
	cfg := b.config(holder)
	cfg.Caller = s
	return cfg, s
}

func answersTo(from, to int) (list []string) {
	for _, name := range names(from, to) {
		list = append(list, "answer to "+name)
	}
	return list
}

func TestAnswersOfCallsArePublished(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	cfg, s := b.scripted("one", func(_ context.Context, r *outbox.Record, _ int) Called {
		if r.Type == "m7" {
			return Called{Done: true}
		}
		return answerTo(r)
	})
	b.insertTo(called, "x", "", 0, 500)
	b.start(cfg)
	b.awaitSet(got, without(answersTo(0, 500), []string{"answer to m7"}))
	b.drained()
	b.awaitParked()
	for _, name := range names(0, 500) {
		require.Equal(t, 1, s.count(name), name)
	}
}

// A call that takes long holds up nothing: neither the position, nor its aggregate.
func TestASlowCallHoldsUpNothing(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	let := make(chan struct{})
	cfg, s := b.scripted("one", func(ctx context.Context, r *outbox.Record, _ int) Called {
		select {
		case <-let:
			return answerTo(r)
		case <-ctx.Done():
			return Called{}
		}
	})
	b.insertTo(called, "x", "k", 0, 1)
	b.insert(1, 400) // four windows
	b.start(cfg)
	b.awaitFirsts(got, names(1, 400))
	b.drained()
	b.awaitParked("m0 http")
	require.Equal(t, "http", b.value(`SELECT state FROM outbox_overview WHERE type = 'm0'`))
	close(let)
	b.awaitFirsts(got, append(names(1, 400), "answer to m0"))
	b.awaitParked()
	require.Equal(t, 1, s.count("m0"))
}

// No transaction is open while calls are out.
func TestCallsAreOutsideOfTransactions(t *testing.T) {
	b := setup(t)
	b.consumeQueue()
	let := make(chan struct{})
	var out atomic.Int32
	cfg, _ := b.scripted("one", func(_ context.Context, r *outbox.Record, _ int) Called {
		out.Add(1)
		<-let
		return answerTo(r)
	})
	b.insertTo(called, "x", "", 0, 300)
	b.start(cfg)
	b.eventually("all calls are out and set aside", func() bool { return out.Load() == 300 && b.lag().Pending == 0 })
	open := `SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
		AND xact_start < clock_timestamp() - interval '100 ms'`
	for range 5 {
		require.Equal(t, "0", b.value(open))
	}
	close(let)
	b.awaitParked()
}

// What was called when the relay died is called by the next one.
func TestACallIsMadeAgainAfterTheRelaysEnd(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	hang := func(ctx context.Context, _ *outbox.Record, _ int) Called { <-ctx.Done(); return Called{} }
	cfg, _ := b.scripted("one", hang)
	b.insertTo(called, "x", "", 0, 20)
	first := b.start(cfg)
	b.eventually("they are set aside", func() bool { return len(b.parked()) == 20 })
	b.insertTo(called, "x", "", 20, 30) // and some that are not
	b.insert(30, 31)
	b.awaitFirsts(got, names(30, 31))
	first.stop()
	again, s := b.scripted("two", func(_ context.Context, r *outbox.Record, _ int) Called { return answerTo(r) })
	b.start(again)
	b.awaitSet(got, append(answersTo(0, 30), "m30"))
	b.awaitParked()
	for _, name := range names(0, 30) {
		require.Equal(t, 1, s.count(name), name)
	}
}

// A receiver that has the message is asked for its answer, and told for how long it has had it.
func TestAReceiverIsAskedForItsAnswer(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	cfg, s := b.scripted("one", func(_ context.Context, r *outbox.Record, n int) Called {
		if n < 3 {
			return Called{Uncalled: desk.Uncalled{Reason: desk.Unanswered, Error: "not yet", Accepted: true, Later: 50 * time.Millisecond}}
		}
		return answerTo(r)
	})
	b.insertTo(called, "x", "", 0, 1)
	b.start(cfg)
	b.awaitFirsts(got, answersTo(0, 1))
	b.awaitParked()
	require.Equal(t, 3, s.count("m0"))
	require.GreaterOrEqual(t, s.accepted["m0"], 50*time.Millisecond)
}

// A receiver that cannot be reached is tried with growing pauses until its time is over;
// then it waits for an operator, and nothing waits for it.
func TestAReceiverThatCannotBeReached(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	var healthy atomic.Bool
	cfg, s := b.scripted("one", func(_ context.Context, r *outbox.Record, _ int) Called {
		if healthy.Load() {
			return answerTo(r)
		}
		return Called{Uncalled: desk.Uncalled{Reason: desk.Unreachable, Error: "connection refused", Failed: true}}
	})
	cfg.RetryFor = 300 * time.Millisecond
	b.insertTo(called, "x", "k", 0, 1)
	b.insert(1, 3)
	e := b.start(cfg, quickly)
	b.awaitParked("m0 http_dead unreachable")
	require.Greater(t, s.count("m0"), 2)
	b.insert(3, 5)
	b.awaitFirsts(got, names(1, 5))
	require.Equal(t, Active, e.Status().State)
	require.Equal(t, "connection refused", b.value(`SELECT reason FROM outbox_overview WHERE type = 'm0'`))

	healthy.Store(true)
	b.exec(`SELECT outbox_parked_retry(ARRAY(SELECT id FROM outbox_parked))`)
	b.awaitFirsts(got, append(names(1, 5), "answer to m0"))
	b.awaitParked()
}

// One answer from a receiver brings forward what waited for it to be reachable.
func TestAReceiverIsBack(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	var away atomic.Bool
	away.Store(true)
	cfg, _ := b.scripted("one", func(_ context.Context, r *outbox.Record, _ int) Called {
		if away.Load() {
			return Called{Uncalled: desk.Uncalled{Reason: desk.Unreachable, Error: "away", Failed: true, Later: time.Hour}}
		}
		return answerTo(r)
	})
	b.insertTo(called, "x", "", 0, 50)
	b.start(cfg)
	b.eventually("all wait for an hour", func() bool { return len(b.parked()) == 50 && b.lag().Pending == 0 })
	away.Store(false)
	b.exec(`SELECT outbox_parked_retry(ARRAY(SELECT min(id) FROM outbox_parked))`)
	b.awaitSet(got, answersTo(0, 50))
	b.awaitParked()
}

// An answer that nobody takes is made again until somebody does.
func TestAnAnswerThatNobodyTakes(t *testing.T) {
	b := setup(t)
	cfg, s := b.scripted("one", func(_ context.Context, r *outbox.Record, _ int) Called { return answerTo(r) })
	b.insertTo(called, "x", "k", 0, 1)
	b.start(cfg, quickly)
	b.awaitParked("m0 http unroutable")
	got := b.consumeQueue()
	b.awaitFirsts(got, answersTo(0, 1))
	b.awaitParked()
	require.Greater(t, s.count("m0"), 1)
}

// Without a caller nothing is lost: the broker has no such exchange, and the message waits.
func TestARelayWithoutACaller(t *testing.T) {
	b := setup(t)
	b.insertTo(called, "x", "k", 0, 1)
	b.consume(rabbit.EventTopology(testenv.Owner, queue), queue)
	one := b.start(b.config("one"), quickly)
	b.eventually("it is parked", func() bool { return fmt.Sprint(b.parked()) == "[m0 retry fatal]" })
	one.stop()
}
