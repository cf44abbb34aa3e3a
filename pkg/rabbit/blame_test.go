package rabbit_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/rabbit"
)

// Each of these ends the session at the broker. The last three are what the
// check keeps away, or what the package never does; they stand for what the check
// does not know.
func TestMessageThatEndsTheSession(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	declareReplies(t, url)
	require.NoError(t, rawChannel(t, url).ExchangeDeclare("internal", amqp.ExchangeFanout, true, false, true, false, nil))
	for name, c := range map[string]struct {
		publish func(*rabbit.Publisher) error
		code    int
	}{
		"missing exchange":   {throughExchange(t, "nowhere"), amqp.NotFound},
		"internal exchange":  {throughExchange(t, "internal"), amqp.AccessRefused},
		"direct reply":       {unchecked(false, amqp.Publishing{ReplyTo: rabbit.DirectReply}), amqp.PreconditionFailed},
		"somebody else's id": {unchecked(false, amqp.Publishing{UserId: "somebody else"}), amqp.PreconditionFailed},
		"immediate":          {unchecked(true, amqp.Publishing{}), amqp.NotImplemented},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := publisher(t, at(url), 10)
			require.NoError(t, p.Err())
			if err := c.publish(p); err != nil {
				requireFatal(t, err, c.code)
			}
			requireFatal(t, publishOne(t, p, to(replies, 1)), c.code) // was in flight behind it, or came too late
			<-p.Done()
			requireFatal(t, p.Err(), c.code)
			requireFatal(t, publishOne(t, p, to(replies, 2)), c.code)
		})
	}
}

func throughExchange(t *testing.T, name string) func(*rabbit.Publisher) error {
	return func(p *rabbit.Publisher) error {
		r := to(replies, 0)
		r.Exchange = name
		wait, err := p.Publish(testContext(t), r)
		if err != nil {
			return err
		}
		return wait(testContext(t))
	}
}

func unchecked(immediate bool, m amqp.Publishing) func(*rabbit.Publisher) error {
	return func(p *rabbit.Publisher) error { return p.PublishUnchecked(replies, immediate, m) }
}

// publishOne is the error of the publish, else that of its wait.
func publishOne(t *testing.T, p *rabbit.Publisher, r *outbox.Record) error {
	t.Helper()
	wait, err := p.Publish(testContext(t), r)
	if err != nil {
		return err
	}
	return wait(testContext(t))
}

func requireFatal(t *testing.T, err error, code int) {
	t.Helper()
	requireUnknown(t, err)
	require.ErrorIs(t, err, outbox.ErrFatal)
	var reply *amqp.Error
	require.ErrorAs(t, err, &reply)
	require.Equal(t, code, reply.Code)
	if code == amqp.NotFound {
		require.ErrorIs(t, err, outbox.ErrNoExchange)
	} else {
		require.NotErrorIs(t, err, outbox.ErrNoExchange)
	}
}

// What the broker says by each code of the specification, as if it closed the
// connection.
func TestCodesThatBlameAMessage(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	for code, fatal := range map[int]bool{
		amqp.ContentTooLarge: true, amqp.NoRoute: true, amqp.NoConsumers: true, amqp.ConnectionForced: false,
		amqp.InvalidPath: false, amqp.AccessRefused: true, amqp.NotFound: true, amqp.ResourceLocked: false,
		amqp.PreconditionFailed: true, amqp.FrameError: true, amqp.SyntaxError: true, amqp.CommandInvalid: false,
		amqp.ChannelError: false, amqp.UnexpectedFrame: true, amqp.ResourceError: true, amqp.NotAllowed: true,
		amqp.NotImplemented: true, amqp.InternalError: false,
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			proxy := testenv.StartProxy(t, url)
			p := publisher(t, at(proxy.URL), 1)
			const closeMethod = 50
			tell(t, proxy, closeMethod, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+"\x03why\x00\x00\x00\x00")
			<-p.Done()
			if fatal {
				requireFatal(t, p.Err(), code)
				return
			}
			require.NotErrorIs(t, p.Err(), outbox.ErrFatal)
			require.ErrorContains(t, p.Err(), fmt.Sprint(code))
		})
	}
}

func TestLostSessionBlamesNoMessage(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	declareReplies(t, url)
	for name, end := range map[string]func(*testenv.Proxy, *rabbit.Publisher){
		"connection reset": func(proxy *testenv.Proxy, _ *rabbit.Publisher) { proxy.Cut() },
		"no heartbeat":     func(*testenv.Proxy, *rabbit.Publisher) {}, // the proxy is mute already
		"closed by owner":  func(_ *testenv.Proxy, p *rabbit.Publisher) { _ = p.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := testenv.StartProxy(t, url)
			cfg := at(proxy.URL)
			cfg.Heartbeat = time.Second
			p := publisher(t, cfg, 2)
			proxy.Mute()
			wait, err := p.Publish(testContext(t), to(replies, 1))
			require.NoError(t, err)
			end(proxy, p)
			for _, err := range []error{wait(testContext(t)), p.Err(), publishOne(t, p, to(replies, 2))} {
				requireUnknown(t, err)
				require.NotErrorIs(t, err, outbox.ErrFatal)
			}
		})
	}
}
