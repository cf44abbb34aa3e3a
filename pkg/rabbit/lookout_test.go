package rabbit_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/rabbit"
)

// One connection serves all looks, whatever is missing or refused; after it was lost the
// next look has another.
func TestLookout(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	proxy := testenv.StartProxy(t, url)
	dials := 0
	cfg := at(proxy.URL)
	reach := cfg.URL
	cfg.URL = func(ctx context.Context) (string, error) { dials++; return reach(ctx) }
	lookout := rabbit.Lookout{Config: cfg}
	defer func() { require.NoError(t, lookout.Close()) }()

	declareReplies(t, url)
	defer consumer(t, at(url), replies, 1).Close()
	_, err := rawChannel(t, url).QueueDeclare("own", false, false, true, false, nil)
	require.NoError(t, err)
	look := func() ([]rabbit.QueueState, error) {
		return lookout.Look(testContext(t), "nowhere", "own", replies, "nowhere")
	}
	want := []rabbit.QueueState{{Name: "nowhere"}, {Name: replies, Exists: true, Consumers: 1}, {Name: "nowhere"}}
	for range 3 {
		states, err := look()
		require.NoError(t, err)
		require.Equal(t, want, states, "what is another connection's own is left out")
	}
	require.Equal(t, 1, dials)

	proxy.Down()
	_, err = look()
	require.ErrorIs(t, err, rabbit.ErrUnreachable)
	_, err = look()
	require.ErrorIs(t, err, rabbit.ErrUnreachable)
	proxy.Heal()
	states, err := look()
	require.NoError(t, err)
	require.Equal(t, want, states)

	require.NoError(t, lookout.Close())
	_, err = look()
	require.NoError(t, err)
}

// A broker that says nothing more is given up when the caller's time is over.
func TestLookoutIsBounded(t *testing.T) {
	t.Parallel()
	proxy := testenv.StartProxy(t, testenv.Vhost(t))
	lookout := rabbit.Lookout{Config: at(proxy.URL)}
	_, err := lookout.Look(testContext(t), "nowhere")
	require.NoError(t, err)
	proxy.Stall()
	ctx, stop := context.WithCancel(testContext(t))
	ended := make(chan error)
	go func() {
		_, err := lookout.Look(ctx, "nowhere")
		ended <- err
	}()
	stop()
	require.Error(t, <-ended)
	proxy.Heal()
	_, err = lookout.Look(testContext(t), "nowhere")
	require.NoError(t, err)
	require.NoError(t, lookout.Close())
}
