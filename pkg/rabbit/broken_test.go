package rabbit_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/rabbit"
)

// A connection that neither side can write to: no publish and no close waits
// longer than its bound.
func TestStalledSocket(t *testing.T) {
	t.Parallel()
	broker := testenv.Vhost(t)
	declareReplies(t, broker)
	proxy := testenv.StartProxy(t, broker)
	cfg := at(proxy.URL)
	cfg.Heartbeat = time.Minute // so that only the write deadline can help
	cfg.WriteTimeout = 500 * time.Millisecond
	p := publisher(t, cfg, 1000)
	c := consumer(t, cfg, replies, 10)
	proxy.Stall()

	big := json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)
	var waits []func(context.Context) error
	var err error
	var took time.Duration
	for err == nil {
		r := to(replies, 1)
		r.Payload = big
		start := time.Now()
		var wait func(context.Context) error
		if wait, err = p.Publish(testContext(t), r); err == nil {
			waits = append(waits, wait)
		}
		took = time.Since(start)
	}
	require.Less(t, took, 5*time.Second)
	require.ErrorContains(t, p.Err(), "timeout")
	for _, wait := range waits {
		requireUnknown(t, wait(testContext(t)))
	}
	for _, end := range []func() error{p.Close, c.Close} {
		start := time.Now()
		_ = end()
		require.Less(t, time.Since(start), rabbit.CloseTimeout+time.Second)
	}
}

func TestCloseWhilePublishIsStuck(t *testing.T) {
	t.Parallel()
	broker := testenv.Vhost(t)
	proxy := testenv.StartProxy(t, broker)
	cfg := at(proxy.URL)
	cfg.Heartbeat, cfg.WriteTimeout = time.Minute, time.Minute
	p := publisher(t, cfg, 1000)
	proxy.Stall()
	stuck := make(chan error)
	go func() {
		r := to(replies, 1)
		r.Payload = json.RawMessage(`"` + strings.Repeat("x", 8<<20) + `"`)
		var err error
		for err == nil {
			_, err = p.Publish(context.Background(), r)
		}
		stuck <- err
	}()
	require.Eventually(t, func() bool { return p.Unsettled() > 0 }, patience, time.Millisecond)
	start := time.Now()
	_ = p.Close()
	require.Less(t, time.Since(start), rabbit.CloseTimeout+time.Second)
	require.Error(t, <-stuck)
}

// The broker stores a message and its confirm never arrives.
func TestLostConfirm(t *testing.T) {
	t.Parallel()
	broker := testenv.Vhost(t)
	declareReplies(t, broker)
	proxy := testenv.StartProxy(t, broker)
	cfg := at(proxy.URL)
	cfg.Heartbeat = time.Second
	p := publisher(t, cfg, 10)
	proxy.Mute()
	start := time.Now()
	requireUnknown(t, publishAll(t, p, []*outbox.Record{to(replies, 1)})[0])
	require.Less(t, time.Since(start), 5*time.Second)
	require.ErrorContains(t, p.Err(), "lost")
	require.Eventually(t, func() bool { return depth(t, broker, replies) == 1 }, patience, 50*time.Millisecond)
}

func requireUnknown(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	require.NotErrorIs(t, err, outbox.ErrNacked)
	require.NotErrorIs(t, err, outbox.ErrUnroutable)
	require.NotErrorIs(t, err, outbox.ErrUnpublishable)
}

// tell sends a method of the connection class, as if the broker had.
func tell(t *testing.T, proxy *testenv.Proxy, method uint16, arguments string) {
	t.Helper()
	payload := binary.BigEndian.AppendUint16([]byte{0, 10}, method)
	payload = append(payload, arguments...)
	frame := binary.BigEndian.AppendUint32([]byte{1, 0, 0}, uint32(len(payload)))
	proxy.Tell(t, append(append(frame, payload...), 0xCE))
}

func TestBlocked(t *testing.T) {
	t.Parallel()
	broker := testenv.Vhost(t)
	declareReplies(t, broker)
	proxy := testenv.StartProxy(t, broker)
	p := publisher(t, at(proxy.URL), 10)
	const blocked, unblocked = 60, 61
	isBlocked := func() bool { _, yes := p.Blocked(); return yes }

	tell(t, proxy, blocked, "\x0alow memory")
	require.Eventually(t, isBlocked, patience, time.Millisecond)
	reason, _ := p.Blocked()
	require.Equal(t, "low memory", reason)

	short, cancel := context.WithTimeout(testContext(t), 100*time.Millisecond)
	defer cancel()
	_, err := p.Publish(short, to(replies, 1))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Zero(t, p.Unsettled(), "a publish that gave up holds no place in the window")

	published := make(chan error)
	go func() {
		wait, err := p.Publish(testContext(t), to(replies, 2))
		if err == nil {
			err = wait(testContext(t))
		}
		published <- err
	}()
	require.Eventually(t, func() bool { return p.Unsettled() == 1 }, patience, time.Millisecond)
	require.Zero(t, depth(t, broker, replies))
	tell(t, proxy, unblocked, "")
	require.NoError(t, <-published)
	require.False(t, isBlocked())
	require.Equal(t, 1, depth(t, broker, replies))

	tell(t, proxy, blocked, "\x08low disk")
	require.Eventually(t, isBlocked, patience, time.Millisecond)
	go func() {
		_, err := p.Publish(context.Background(), to(replies, 3))
		published <- err
	}()
	proxy.Cut()
	require.ErrorContains(t, <-published, "lost", "the end of the session wakes who waits at the gate")
}

// Many sessions that end badly leave nothing behind (TestMain looks for
// goroutines) and ask for the URL each time.
func TestReconnects(t *testing.T) {
	t.Parallel()
	broker := testenv.Vhost(t)
	declareReplies(t, broker)
	proxy := testenv.StartProxy(t, broker)
	const rounds = 50
	var asked atomic.Int64
	cfg := rabbit.Config{Name: "again", URL: func(context.Context) (string, error) {
		asked.Add(1)
		return proxy.URL, nil
	}}
	for i := range rounds {
		p, err := rabbit.OpenPublisher(testContext(t), cfg, 10)
		require.NoError(t, err)
		require.NoError(t, publishAll(t, p, []*outbox.Record{to(replies, i)})[0])
		c, err := rabbit.OpenConsumer(testContext(t), cfg, rabbit.Topology{}, replies, 10)
		require.NoError(t, err)
		if i%2 == 0 {
			proxy.Cut()
			<-p.Done()
			<-c.Done()
		}
		require.NoError(t, p.Close())
		require.NoError(t, c.Close())
		require.NoError(t, c.Close(), "closing again is fine")
	}
	require.EqualValues(t, 2*rounds, asked.Load())
	require.Eventually(t, func() bool { return depth(t, broker, replies) == rounds }, patience, 50*time.Millisecond, "want %d", rounds)
}
