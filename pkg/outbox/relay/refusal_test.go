package relay

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/rabbit"
)

func TestUnroutableStopsTheLogUntilAQueueIsBound(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	b.insert(0, 40)
	b.insertTo("", "late.queue", 40, 41)
	b.insert(41, 60)
	e := b.start(b.config("one"))
	b.awaitState(e, Stalled)
	b.eventually("the row is named", func() bool { return strings.Contains(b.lag().LastError, "outbox row 41 ") })
	require.Contains(t, e.Status().LastError, "no queue is bound")
	require.Equal(t, int64(20), b.lag().Pending, "the position is before the row, not behind it")

	late := b.consume(rabbit.ReplyTopology("late.queue"), "late.queue")
	b.awaitState(e, Active)
	b.drained()
	require.Equal(t, names(40, 41), late.all())
	b.awaitFirsts(got, append(names(0, 40), names(41, 60)...))
	require.LessOrEqual(t, len(got.all()), 59+19, "rows behind it that were in flight come twice, no row more often")
	b.eventually("the reason is cleared", func() bool { return b.lag().LastError == "" })
}

func TestUnpublishableStopsTheLog(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	b.insert(0, 10)
	_, err := b.pool.Exec(t.Context(), `ALTER TABLE public.outbox DROP CONSTRAINT outbox_reply_to_is_a_queue`)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, reply_to, payload)
		VALUES ('test', 'k', 'bad', '', $1, 'amq.rabbitmq.reply-to', '1')`, queue)
	require.NoError(t, err)
	b.insert(11, 12)
	e := b.start(b.config("one"))
	b.awaitState(e, Stalled)
	require.Contains(t, e.Status().LastError, "outbox row 11 ")
	b.eventually("those before it are out", func() bool { return len(got.all()) >= 10 })
	require.Equal(t, names(0, 10), got.all()[:10])
	b.eventually("the position is before the row", func() bool { return b.lag().Pending == 2 })
}

// An exchange that does not exist makes the broker end the session, and the
// outcome of the whole window with it. The bad row is found and named, the good
// ones before it are not repeated for ever.
func TestRowThatBreaksTheSessionIsFound(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	b.insert(0, 60)
	b.insertTo("no.such.exchange", "key", 60, 61)
	b.insert(61, 80)
	cfg := b.config("one")
	e := b.start(cfg)
	b.eventually("the row is named", func() bool { return strings.Contains(b.lag().LastError, "outbox row 61 ") })
	b.eventually("stalled", func() bool { return e.Status().State == Stalled })
	require.Equal(t, names(0, 60), got.firsts()[:60])
	require.LessOrEqual(t, len(got.all()), 60+2*cfg.Window)

	require.NoError(t, rabbit.Declare(t.Context(), rabbitAt(b.amqp), rabbit.Topology{
		Exchanges: []rabbit.Exchange{{Name: "no.such.exchange", Kind: "fanout"}},
		Queues: []rabbit.Queue{{
			Name: "late", DeliveryLimit: 10,
			Bindings: []rabbit.Binding{{Exchange: "no.such.exchange"}},
		}},
	}))
	b.drained()
	b.awaitState(e, Active)
	b.awaitFirsts(got, append(names(0, 60), names(61, 80)...))
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
