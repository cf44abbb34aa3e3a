package relay

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/rabbit"
)

// parked are the parked messages as "type state reason", in order.
func (b *bundle) parked() []string {
	b.Helper()
	rows, err := b.pool.Query(context.Background(), `SELECT concat_ws(' ', o.type, p.state, p.reason)
		FROM public.outbox_parked AS p JOIN public.outbox AS o USING (id) ORDER BY id`)
	require.NoError(b, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(b, err)
	return found
}

func (b *bundle) awaitParked(want ...string) {
	b.Helper()
	b.eventually(fmt.Sprint("parked: ", want), func() bool { return slices.Equal(want, b.parked()) })
}

func quickly(l *limits) { l.retry, l.longestRetry = 20*time.Millisecond, 100*time.Millisecond }

func TestUnroutableWaitsForItsQueueAndKeepsItsAggregatesOrder(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	b.insert(0, 10)
	b.insertTo("", "late.queue", "k", 10, 11)
	b.insert(11, 13)
	b.insertTo("", queue, "other", 13, 20)
	e := b.start(b.config("one"), quickly)
	others := append(names(13, 20), "m22")
	b.awaitSet(got, append(names(0, 10), names(13, 20)...))
	b.awaitParked("m10 retry unroutable", "m11 waiting", "m12 waiting")
	b.drained()
	b.insert(20, 22) // later ones of the aggregate wait too
	b.insertTo("", queue, "other", 22, 23)
	b.awaitParked("m10 retry unroutable", "m11 waiting", "m12 waiting", "m20 waiting", "m21 waiting")
	require.Equal(t, Active, e.Status().State)

	late := b.consume(rabbit.EventTopology(testenv.Owner, "late.queue"), "late.queue")
	b.awaitParked()
	b.awaitFirsts(late, names(10, 11))
	want := append(names(0, 10), "m11", "m12", "m20", "m21")
	b.awaitSet(got, append(want, others...))
	b.insert(23, 24) // the aggregate is free again
	b.awaitSet(got, append(append(want, others...), "m23"))
	require.Equal(t, append(want, "m23"), without(got.all(), others), "in order, and nothing twice")
	require.Empty(t, b.parked())
}

func TestParkedSurvivesARestart(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	b.insertTo("", "late.queue", "k", 0, 1)
	b.insert(1, 2)
	first := b.start(b.config("one"), quickly)
	b.awaitParked("m0 retry unroutable", "m1 waiting")
	first.stop()
	b.insert(2, 3)
	b.start(b.config("two"), quickly)
	b.awaitParked("m0 retry unroutable", "m1 waiting", "m2 waiting")
	late := b.consume(rabbit.EventTopology(testenv.Owner, "late.queue"), "late.queue")
	b.awaitFirsts(got, names(1, 3))
	b.awaitFirsts(late, names(0, 1))
	b.awaitParked()
}

func TestUnpublishableIsDeadAtOnce(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	_, err := b.pool.Exec(t.Context(), `ALTER TABLE public.outbox DISABLE TRIGGER outbox_checked`)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), `INSERT INTO public.outbox (xact, aggregate_type, aggregate_id, type, exchange, routing_key, reply_to, payload)
		VALUES (pg_current_xact_id(), 'test', 'k', 'bad', '', $1, 'amq.rabbitmq.reply-to', '1')`, queue)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), `ALTER TABLE public.outbox ENABLE ALWAYS TRIGGER outbox_checked`)
	require.NoError(t, err)
	b.insert(0, 2)
	b.insertTo("", queue, "other", 2, 4)
	b.start(b.config("one"), quickly)
	b.awaitFirsts(got, names(2, 4))
	b.awaitParked("bad dead invalid", "m0 waiting", "m1 waiting")

	_, err = b.pool.Exec(t.Context(), `SELECT public.outbox_parked_discard('{1}', 'a test')`)
	require.NoError(t, err)
	b.awaitFirsts(got, append(names(2, 4), names(0, 2)...))
	b.awaitParked("bad discarded invalid")
	b.insert(4, 5)
	b.awaitFirsts(got, append(names(2, 4), "m0", "m1", "m4"))
}

// An operator's retry is noticed without a restart, and a message that is refused
// for too long is dead until then.
func TestRefusedForTooLongIsDeadUntilAnOperatorSays(t *testing.T) {
	b := setup(t)
	b.consumeQueue()
	b.insertTo("", "late.queue", "k", 0, 1)
	cfg := b.config("one")
	cfg.RetryFor = 200 * time.Millisecond
	b.start(cfg, quickly)
	b.awaitParked("m0 dead unroutable")
	late := b.consume(rabbit.EventTopology(testenv.Owner, "late.queue"), "late.queue")
	_, err := b.pool.Exec(t.Context(), `SELECT public.outbox_parked_retry('{1}')`)
	require.NoError(t, err)
	b.awaitFirsts(late, names(0, 1))
	b.awaitParked()
}

// An exchange that does not exist makes the broker end the session, and the
// outcome of the whole window with it. The bad rows are found, the good
// ones are not repeated for ever.
func TestRowsThatBreakTheSessionAreFound(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	const rows, bad = 1000, 30
	b.insertTo("", queue, "", 0, rows/2)
	b.insertTo("no.such.exchange", "key", "", rows, rows+bad)
	b.insertTo("", queue, "", rows/2, rows)
	cfg := b.config("one")
	e := b.start(cfg, quickly)
	b.eventually("the good ones arrive", func() bool { return len(got.firsts()) == rows })
	b.drained()
	var want []string
	for _, name := range names(rows, rows+bad) {
		want = append(want, name+" retry fatal")
	}
	b.awaitParked(want...)
	require.LessOrEqual(t, len(got.all()), rows+cfg.Window, "one window was of unknown outcome")
	require.Equal(t, Active, e.Status().State)

	late := b.consume(rabbit.Topology{
		Exchanges: []rabbit.Exchange{{Name: "no.such.exchange", Kind: "fanout"}},
		Queues: []rabbit.Queue{{
			Name: "late", DeliveryLimit: 10,
			Bindings: []rabbit.Binding{{Exchange: "no.such.exchange"}},
		}},
	}, "late")
	b.awaitParked()
	b.awaitSet(late, names(rows, rows+bad))
	require.LessOrEqual(t, len(got.all()), rows+cfg.Window, "the retries did not disturb the others")
}

// A full queue refuses by nack, and takes more as it empties.
func TestFullQueueIsNoLoss(t *testing.T) {
	b := setup(t)
	const rows = 2000
	full := rabbit.Topology{Queues: []rabbit.Queue{{
		Name: "full", DeliveryLimit: 10, MaxLength: 10, DeadLetter: "amq.fanout", // this makes it refuse and not drop
	}}}
	require.NoError(t, rabbit.Declare(t.Context(), rabbitAt(b.amqp), full))
	b.insertTo("", "full", "", 0, rows)
	e := b.start(b.config("one"), quickly)
	b.drained()
	require.Greater(t, len(b.parked()), rows/2, "the queue's bound is a soft one")
	got := b.consume(full, "full")
	b.eventually("all arrive", func() bool { return len(got.firsts()) == rows })
	b.awaitParked()
	require.Len(t, got.all(), rows, "a nack is a no: nothing comes twice")
	require.Zero(t, e.Status().Unanswered)
}

// stale is a session whose channel believes that a queue's leader is on a node that has died.
type stale struct {
	Publisher
	to string
}

func (s stale) Publish(ctx context.Context, r *outbox.Record) (func(context.Context) error, error) {
	if r.RoutingKey == s.to {
		return func(context.Context) error { return outbox.ErrNacked }, nil
	}
	return s.Publisher.Publish(ctx, r)
}

// A session that refuses all for one queue is given up for another one, without a word of the
// broker being down and without repeating anything. What the next sessions refuse too is
// tried on each for a longer time.
func TestASessionThatRefusesAgainIsRenewed(t *testing.T) {
	b := setup(t)
	const other = "other.queue"
	got, late := b.consumeQueue(), b.consume(rabbit.EventTopology(testenv.Owner, other), other)
	cfg := b.config("one")
	var opened atomic.Int64
	open := cfg.Open
	cfg.Open = func(ctx context.Context) (Publisher, error) {
		session, err := open(ctx)
		if err == nil && opened.Add(1) <= 3 {
			return stale{session, other}, nil
		}
		return session, err
	}
	b.insertTo("", other, "", 0, 20)
	b.insert(20, 60)
	e := b.start(cfg, quickly, func(l *limits) { l.renew = 20 * time.Millisecond })
	b.eventually("all arrive", func() bool { return len(late.firsts()) == 20 })
	b.awaitSet(got, names(20, 60))
	b.awaitParked()
	require.Len(t, late.all(), 20, "nothing twice")
	require.Len(t, got.all(), 40, "nothing twice")
	require.EqualValues(t, 4, opened.Load())
	require.Equal(t, Active, e.Status().State)
	require.Zero(t, e.Status().Unanswered)
}

func TestScheduledMessagesWaitForTheirTimeAndStopNobody(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	_, err := b.pool.Exec(t.Context(), `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload, deliver_at)
		VALUES ('test', 'k', 'later', '', $1, '1', now() + interval '1 hour'), ('test', 'k', 'soon', '', $1, '1', now() + interval '1500 ms')`, queue)
	require.NoError(t, err)
	b.insert(0, 3)
	b.start(b.config("one"))
	b.awaitFirsts(got, names(0, 3))
	b.awaitParked("later scheduled", "soon scheduled")
	b.awaitFirsts(got, append(names(0, 3), "soon"))
	b.awaitParked("later scheduled")
	var early bool
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT now() < deliver_at FROM public.outbox WHERE type = 'soon'`).Scan(&early))
	require.False(t, early)
}

func TestReplayPublishesOnceMore(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	b.insertTo("", queue, "", 0, 500)
	b.start(b.config("one"))
	b.eventually("all arrive", func() bool { return len(got.all()) == 500 })
	b.drained()
	_, err := b.pool.Exec(t.Context(), `SELECT public.outbox_replay(ARRAY(SELECT id FROM public.outbox WHERE id > 100))`)
	require.NoError(t, err)
	b.eventually("again", func() bool { return len(got.all()) == 900 })
	b.awaitParked()
}

// moody is a real session that a test can make blocked or silent.
type moody struct {
	Publisher
	blocked *atomic.Bool
	silent  *atomic.Bool
}

func (m moody) Blocked() (string, bool) { return "low on memory", m.blocked.Load() }

func (m moody) Publish(ctx context.Context, r *outbox.Record) (func(context.Context) error, error) {
	wait, err := m.Publisher.Publish(ctx, r)
	if err != nil || !m.silent.Load() {
		return wait, err
	}
	return func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, nil
}

func (b *bundle) moodyConfig() (cfg Config, blocked, silent *atomic.Bool) {
	blocked, silent = new(atomic.Bool), new(atomic.Bool)
	cfg = b.config("one")
	open := cfg.Open
	cfg.Open = func(ctx context.Context) (Publisher, error) {
		session, err := open(ctx)
		return moody{session, blocked, silent}, err
	}
	return cfg, blocked, silent
}

func TestBlockedBrokerIsSentNothing(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	cfg, blocked, _ := b.moodyConfig()
	blocked.Store(true)
	b.insert(0, 10)
	e := b.start(cfg)
	b.awaitState(e, Blocked)
	require.Contains(t, e.Status().LastError, "low on memory")
	require.Empty(t, got.all())
	blocked.Store(false)
	b.awaitFirsts(got, names(0, 10))
	b.awaitState(e, Active)
	blocked.Store(true)
	b.insert(10, 20)
	b.awaitState(e, Blocked)
	e.stop()
	require.Len(t, got.all(), 10)
}

func TestSilentBrokerIsLeft(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	cfg, _, silent := b.moodyConfig()
	silent.Store(true)
	b.insert(0, 10)
	e := b.start(cfg, func(l *limits) { l.confirm = 200 * time.Millisecond })
	b.eventually("the session is dropped", func() bool {
		return strings.Contains(e.Status().LastError, "confirmed nothing")
	})
	require.Equal(t, int64(10), b.lag().Pending)
	silent.Store(false)
	b.drained()
	b.awaitFirsts(got, names(0, 10))
}

// Readiness follows the confirms: a session that can be opened is no sign of life.
func TestWhoConfirmsNothingIsToldUntilItDoes(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	cfg, _, silent := b.moodyConfig()
	e := b.start(cfg, func(l *limits) { l.quiet, l.confirm = 50*time.Millisecond, time.Second })
	b.insert(0, 10)
	b.awaitFirsts(got, names(0, 10))
	b.awaitState(e, Active)
	silent.Store(true)
	b.insert(10, 20)
	b.awaitState(e, Unconfirmed)
	require.False(t, e.Status().State.Healthy())
	require.Contains(t, e.Status().LastError, "confirmed nothing")
	b.eventually("the database is told", func() bool { return b.lag().LastError != "" })
	b.eventually("three more sessions", func() bool {
		require.NotEqual(t, Active, e.Status().State)
		return e.Status().Unanswered >= 3
	})
	silent.Store(false)
	b.awaitFirsts(got, names(0, 20))
	b.awaitState(e, Active)
	b.eventually("the database is told", func() bool { return b.lag().LastError == "" })
}

func TestStopDoesNotWaitForASilentBrokerForEver(t *testing.T) {
	b := setup(t)
	b.consumeQueue()
	cfg, _, silent := b.moodyConfig()
	silent.Store(true)
	b.insert(0, 10)
	published := make(chan struct{}, 10)
	open := cfg.Open
	cfg.Open = func(ctx context.Context) (Publisher, error) {
		session, err := open(ctx)
		return told{session, published}, err
	}
	e := b.start(cfg, func(l *limits) { l.grace = 100 * time.Millisecond })
	<-published
	e.stop()
	require.Equal(t, int64(10), b.lag().Pending)
	require.Empty(t, b.lag().Holder)
}

// told says when something was published.
type told struct {
	Publisher
	published chan<- struct{}
}

func (s told) Publish(ctx context.Context, r *outbox.Record) (func(context.Context) error, error) {
	wait, err := s.Publisher.Publish(ctx, r)
	s.published <- struct{}{}
	return wait, err
}
