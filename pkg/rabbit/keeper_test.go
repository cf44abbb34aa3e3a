package rabbit_test

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
)

// remarked is a configuration whose remarks are kept and logged.
func remarked(url string) (rabbit.Config, *observer.ObservedLogs) {
	core, logs := observer.New(zap.InfoLevel)
	cfg := at(url)
	cfg.Remarks = &rabbit.Remarks{Log: zap.New(core)}
	return cfg, logs
}

// problems are those that a configuration's sessions have met, by object.
func problems(cfg rabbit.Config) map[string]string {
	all := map[string]string{}
	for _, r := range cfg.Remarks.All() {
		all[r.Object] = r.Problem
	}
	return all
}

func event(n int) *outbox.Record {
	r := to("room-reservation.completed", n)
	r.Exchange = protocol.ExchangeEvents
	return r
}

// What is beside may have any arguments: messages flow, and it is told once.
func TestSideObjectsMayDiffer(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	raw := rawChannel(t, url)
	deadQueue := protocol.DeadQueue(testenv.Service)
	for _, name := range []string{protocol.QueueUnheard, deadQueue} {
		_, err := raw.QueueDeclare(name, true, false, false, false, amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeClassic})
		require.NoError(t, err)
	}
	require.NoError(t, raw.ExchangeDeclare(protocol.ExchangeUnheard, "topic", true, false, false, false, nil))
	require.NoError(t, raw.QueueBind(protocol.QueueUnheard, "#", protocol.ExchangeUnheard, false, nil))
	require.NoError(t, raw.ExchangeDeclare(protocol.ExchangeDead, "fanout", true, false, false, false, nil))
	require.NoError(t, raw.ExchangeDeclare(protocol.ExchangeEvents, "topic", true, false, false, false, amqp.Table{"alternate-exchange": protocol.ExchangeUnheard}))
	cfg, logs := remarked(url)
	cfg = rabbit.Hasty(cfg, 50*time.Millisecond, 10*time.Millisecond)
	p := publisher(t, cfg, 1)
	require.NoError(t, publishAll(t, p, []*outbox.Record{event(1)})[0])
	require.Equal(t, 1, depth(t, url, protocol.QueueUnheard))
	c := consumer(t, cfg, replies, 1)
	require.NoError(t, publishAll(t, p, []*outbox.Record{to(replies, 2)})[0])
	drain(t, c, 1)
	d, err := rabbit.OpenDeadLetters(testContext(t), cfg, testenv.Owner, 1)
	require.NoError(t, err)
	defer d.Close()
	require.NoError(t, publishAll(t, p, []*outbox.Record{to(deadQueue, 3)})[0])
	drain(t, d, 1)
	want := map[string]string{
		"queue " + protocol.QueueUnheard: "differs", "exchange " + protocol.ExchangeUnheard: "differs",
		"queue " + deadQueue: "differs", "exchange " + protocol.ExchangeDead: "differs",
	}
	require.Eventually(t, func() bool { return len(problems(cfg)) == len(want) }, patience, 10*time.Millisecond)
	require.Equal(t, want, problems(cfg))
	require.Equal(t, len(want), logs.Len(), "many rounds say nothing new")

	for _, name := range []string{protocol.QueueUnheard} {
		_, err := raw.QueueDelete(name, false, false, false)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return problems(cfg)["queue "+protocol.QueueUnheard] == "" }, patience, 10*time.Millisecond, "it is made anew, as it should be")
	require.Equal(t, 1, logs.FilterLevelExact(zap.InfoLevel).Len())
}

// An exchange without a place for what is unrouted is the same kind of thing.
func TestAnotherAlternateExchangeIsTold(t *testing.T) {
	t.Parallel()
	for name, arguments := range map[string]amqp.Table{"none": nil, "another": {"alternate-exchange": "amq.fanout"}} {
		url := testenv.Vhost(t)
		require.NoError(t, rawChannel(t, url).ExchangeDeclare(protocol.ExchangeEvents, "topic", true, false, false, false, arguments))
		cfg, _ := remarked(url)
		require.ErrorIs(t, publishAll(t, publisher(t, cfg, 1), []*outbox.Record{event(1)})[0], outbox.ErrUnroutable)
		require.Equal(t, map[string]string{"exchange " + protocol.ExchangeEvents: "differs"}, problems(cfg), name)
	}
}

// What is beside and was deleted, or has expired, comes back while the session lasts.
func TestWhatIsBesideComesBack(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	raw := rawChannel(t, url)
	exists := func(queue string) bool {
		states, err := rabbit.Inspect(testContext(t), at(url), queue)
		require.NoError(t, err)
		return states[0].Exists
	}
	cfg := rabbit.Hasty(at(url), 50*time.Millisecond, 10*time.Millisecond)
	c, err := rabbit.OpenConsumer(testContext(t), cfg, rabbit.CommandTopology(testenv.Owner), protocol.CommandQueue(testenv.Service), 1)
	require.NoError(t, err)
	defer c.Close()
	_, err = raw.QueueDelete(protocol.DeadQueue(testenv.Service), false, false, false)
	require.NoError(t, err)
	require.NoError(t, raw.ExchangeDelete(protocol.ExchangeDead, false, false))
	require.Eventually(t, func() bool { return exists(protocol.DeadQueue(testenv.Service)) }, patience, 10*time.Millisecond)

	require.NoError(t, raw.QueueUnbind(protocol.CommandQueue(testenv.Service), testenv.Service, protocol.ExchangeCommands, nil))
	command := to(testenv.Service, 1)
	command.Exchange = protocol.ExchangeCommands
	p := publisher(t, at(url), 1)
	require.Eventually(t, func() bool { return publishAll(t, p, []*outbox.Record{command})[0] == nil }, patience, 10*time.Millisecond, "it is bound again")
	require.NoError(t, c.Err(), "in the same session")
}

// A publisher does not wait for the next look where an event comes back.
func TestAReturnedEventShowsThatItsPlaceIsGone(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	p := publisher(t, rabbit.Hasty(at(url), time.Hour, 10*time.Millisecond), 1)
	require.NoError(t, publishAll(t, p, []*outbox.Record{event(1)})[0])
	_, err := rawChannel(t, url).QueueDelete(protocol.QueueUnheard, false, false, false)
	require.NoError(t, err)
	require.ErrorIs(t, publishAll(t, p, []*outbox.Record{event(2)})[0], outbox.ErrUnroutable, "nothing is lost: it waits")
	require.Eventually(t, func() bool { return publishAll(t, p, []*outbox.Record{event(3)})[0] == nil }, patience, 10*time.Millisecond)
	require.NoError(t, p.Err())
}

// To bind takes for ever: all that exists goes on without it.
func TestABindingThatHangsHoldsUpNothing(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	commandQueue := protocol.CommandQueue(testenv.Service)
	require.NoError(t, rabbit.Declare(testContext(t), at(url), rabbit.CommandTopology(testenv.Owner)))
	require.NoError(t, rabbit.Declare(testContext(t), at(url), rabbit.PublisherTopology()))
	deaf := startSwallower(t, url, methodBind)
	cfg, _ := remarked(deaf.url)
	cfg = rabbit.Hasty(cfg, time.Hour, 10*time.Millisecond)
	p := publisher(t, cfg, 1)
	command := to(testenv.Service, 1)
	command.Exchange = protocol.ExchangeCommands
	require.NoError(t, publishAll(t, p, []*outbox.Record{command})[0])
	c, err := rabbit.OpenConsumer(testContext(t), cfg, rabbit.CommandTopology(testenv.Owner), commandQueue, 1)
	require.NoError(t, err)
	drain(t, c, 1)
	require.Eventually(t, func() bool { return len(problems(cfg)) == 2 }, patience, 10*time.Millisecond, "of each session the first that hangs")
	for _, problem := range problems(cfg) {
		require.Equal(t, "unanswered", problem)
	}
	require.NoError(t, c.Close())
	require.NoError(t, p.Close())

	// A queue that was not there is bound before it is consumed: what is sent before does not reach it.
	require.NoError(t, rabbit.Undeclare(testContext(t), at(url), rabbit.CommandTopology(testenv.Owner)))
	opened := make(chan error, 1)
	go func() {
		_, err := rabbit.OpenConsumer(testContext(t), cfg, rabbit.CommandTopology(testenv.Owner), commandQueue, 1)
		opened <- err
	}()
	require.Eventually(t, func() bool { return len(problems(cfg)) == 2 && len(opened) == 0 && deaf.swallowed() >= 3 }, patience, 10*time.Millisecond)
	deaf.cut()
	require.Error(t, <-opened)
}

// A consumer that has had deliveries and hears no more looks whether its queue still is there
// for it. The session ends where there is no answer.
func TestAQueueThatFallsSilentIsLookedAt(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	declareReplies(t, url)
	deaf := startSwallower(t, url, 0)
	cfg := rabbit.Hasty(at(deaf.url), time.Hour, time.Hour)
	cfg.Heartbeat = time.Minute
	c := consumer(t, cfg, replies, 1)
	fill(t, url, 1)
	drain(t, c, 1)
	deaf.refuse(methodDeclare)
	require.NoError(t, c.Err(), "nobody asks without a reason")
	fill(t, url, 1)
	drain(t, c, 1)
	select {
	case <-c.Done():
	case <-testContext(t).Done():
		t.Fatal("the session goes on")
	}
	require.ErrorIs(t, c.Err(), rabbit.ErrUnanswered)
}

// So does it where the queue counts no consumer, as one without a leader.
func TestAQueueThatForgetsItsConsumer(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	c := consumer(t, rabbit.Hasty(at(url), 50*time.Millisecond, 10*time.Millisecond), replies, 1)
	fill(t, url, 1)
	drain(t, c, 1)
	require.Never(t, func() bool { return c.Err() != nil }, 300*time.Millisecond, 10*time.Millisecond)
	fill(t, url, 1)
	drain(t, c, 1)
	require.NoError(t, c.Forgotten())
	select {
	case <-c.Done():
	case <-testContext(t).Done():
		t.Fatal("the session goes on")
	}
	require.ErrorContains(t, c.Err(), "does not know its consumer any more")
}

// The command that is named where something is missing makes just what the program would make.
func TestTheCommandMakesWhatIsDeclared(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	raw := rawChannel(t, url)
	for _, topology := range []rabbit.Topology{rabbit.PublisherTopology(), rabbit.CommandTopology(testenv.Owner), rabbit.EventTopology(testenv.Owner, "watch", "it's.*")} {
		for _, command := range rabbit.Commands(topology, "it's") {
			require.Contains(t, command, `rabbitmqadmin --vhost='it'\''s' declare `)
			if found := regexp.MustCompile(`declare queue name='(.*?)' durable=true arguments='(.*?)'`).FindStringSubmatch(command); found != nil {
				var arguments amqp.Table
				require.NoError(t, json.Unmarshal([]byte(found[2]), &arguments))
				for name, value := range arguments {
					if number, ok := value.(float64); ok {
						arguments[name] = int64(number)
					}
				}
				_, err := raw.QueueDeclare(found[1], true, false, false, false, arguments)
				require.NoError(t, err)
			}
		}
		require.NoError(t, rabbit.Declare(testContext(t), at(url), topology))
	}
}
