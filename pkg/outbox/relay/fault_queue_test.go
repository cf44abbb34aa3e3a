package relay

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/rabbit"
)

// counted counts what is sent.
type counted struct {
	Publisher
	sent *atomic.Int64
}

func (c counted) Publish(ctx context.Context, r *outbox.Record) (func(context.Context) error, error) {
	c.sent.Add(1)
	return c.Publisher.Publish(ctx, r)
}

// A full queue refuses, and its consumer comes a while later. The relay does not
// hammer on its door meanwhile.
func TestFullQueueIsTriedWithMeasure(t *testing.T) {
	b := setup(t)
	const rows = 1000
	full := rabbit.Topology{Queues: []rabbit.Queue{{
		Name: "full", DeliveryLimit: 10, MaxLength: 10, DeadLetter: "amq.fanout", // this makes it refuse and not drop
	}}}
	require.NoError(t, rabbit.Declare(t.Context(), rabbitAt(b.amqp), full))
	b.insertTo("", "full", "", 0, rows)
	cfg := b.config("one")
	sent, open := new(atomic.Int64), cfg.Open
	cfg.Open = func(ctx context.Context) (Publisher, error) {
		session, err := open(ctx)
		return counted{session, sent}, err
	}
	b.start(cfg)
	b.eventually("all were refused, and some again", func() bool { return b.lag().Pending == 0 && sent.Load() > rows+rows/2 })
	got := b.consume(full, "full")
	b.eventually("all arrive", func() bool { return len(got.firsts()) == rows })
	b.awaitParked()
	require.Zero(t, len(got.all())-rows, "repeated")
	require.LessOrEqual(t, sent.Load(), int64(6*rows), "attempts")
}

// A queue and an exchange are deleted while the relay uses them, and declared again
// later: what is committed meanwhile waits for them, all else flows.
func TestDeletedQueueAndExchangeAreWaitedFor(t *testing.T) {
	b := setup(t)
	declare := func(routes rabbit.Topology) {
		require.NoError(t, rabbit.Declare(t.Context(), rabbitAt(b.amqp), routes))
	}
	routes := rabbit.Topology{
		Exchanges: []rabbit.Exchange{{Name: "doomed", Kind: amqp.ExchangeFanout}},
		Queues: []rabbit.Queue{
			{Name: "by.name", DeliveryLimit: 10},
			{Name: "by.exchange", DeliveryLimit: 10, Bindings: []rabbit.Binding{{Exchange: "doomed"}}},
		},
	}
	declare(routes)
	got := b.consumeQueue()
	b.start(b.config("one"), quickly)
	send := func(from int) {
		b.insertTo("", "by.name", "a", from, from+5)
		b.insertTo("doomed", "x", "b", from+5, from+10)
		b.insertTo("", queue, "c", from+10, from+15)
	}
	send(0)
	b.awaitFirsts(got, names(10, 15))
	b.drained()
	channel := b.channel()
	_, err := channel.QueueDelete("by.name", false, false, false)
	require.NoError(t, err)
	require.NoError(t, channel.ExchangeDelete("doomed", false, false))
	send(15)
	b.awaitFirsts(got, append(names(10, 15), names(25, 30)...))
	b.awaitParked("m15 retry unroutable", "m16 waiting", "m17 waiting", "m18 waiting", "m19 waiting",
		"m20 retry fatal", "m21 waiting", "m22 waiting", "m23 waiting", "m24 waiting")
	declare(routes)
	byName, byExchange := b.consume(routes, "by.name"), b.consume(routes, "by.exchange")
	b.awaitParked()
	b.awaitFirsts(byName, names(15, 20)) // the earlier ones were deleted with their queue
	b.awaitFirsts(byExchange, append(names(5, 10), names(20, 25)...))
	require.Len(t, got.all(), 10)
}

// channel is for what the package rabbit does not do.
func (b *bundle) channel() *amqp.Channel {
	b.Helper()
	connection, err := amqp.Dial(b.amqp)
	require.NoError(b, err)
	b.Cleanup(func() { _ = connection.Close() })
	channel, err := connection.Channel()
	require.NoError(b, err)
	return channel
}

// Classic and quorum queues confirm in their own time, so that the answers to one
// window come in any order.
func TestConfirmsComeInAnyOrder(t *testing.T) {
	b := setup(t)
	const rows = 1000
	classic, err := b.channel().QueueDeclare("classic", true, false, false, false, nil)
	require.NoError(t, err)
	got := b.consumeQueue()
	_, err = b.pool.Exec(t.Context(), `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		SELECT 'test', 'k' || n % 50, 'm' || n, '', CASE n % 2 WHEN 0 THEN $1 ELSE $2 END, '{}'
		FROM generate_series(0, $3::int - 1) AS n ORDER BY n`, classic.Name, queue, rows)
	require.NoError(t, err)
	b.start(b.config("one"))
	b.drained()
	b.eventually("the quorum queue's arrive", func() bool { return len(got.all()) == rows/2 })
	state, err := b.channel().QueueDeclarePassive(classic.Name, true, false, false, false, nil)
	require.NoError(t, err)
	require.Equal(t, rows/2, state.Messages)
}

// The broker stores what it is sent and its answers get lost, until the heartbeat
// tells. What was in flight is sent again under the same ids, and not for ever.
func TestLostConfirmsOnlyRepeat(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	cable := testenv.StartProxy(t, b.amqp)
	cfg := b.config("one")
	cfg.Open = func(ctx context.Context) (Publisher, error) {
		at := rabbitAt(cable.URL)
		at.Heartbeat = time.Second
		return rabbit.OpenPublisher(ctx, at, cfg.Window)
	}
	e := b.start(cfg)
	b.insert(0, 10)
	b.awaitFirsts(got, names(0, 10))
	b.drained()
	cable.Mute()
	b.insertTo("", queue, "", 10, 200)
	b.awaitState(e, BrokerDown)
	b.eventually("stored and not confirmed", func() bool { return len(got.all()) > 10 })
	cable.Heal()
	b.awaitSet(got, names(0, 200))
	b.drained()
	require.LessOrEqual(t, len(got.all()), 200+cfg.Window)
	require.Greater(t, len(got.all()), 200)
}
