package rabbit_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/inbox/quarantine"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	sagasql "go.example/saga/sql"
)

// What a queue gives up is moved into its owner's quarantine, for the queue in which it lay,
// and goes back there as it was. It may be given up once more, and is one row.
func TestADeadLetterComesBackExactly(t *testing.T) {
	t.Parallel()
	testenv.Connections(t, 6)
	db, url := testenv.Database(t, sagasql.Inbox), testenv.Vhost(t)
	declareReplies(t, url)
	sent := full(replies)
	channel := rawChannel(t, url)
	require.NoError(t, channel.PublishWithContext(t.Context(), "", replies, true, false, sent))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- inbox.Run(ctx, inbox.Config{
			Name: "dead-letters", Service: testenv.Service, DB: db, Handle: inbox.SetAsideDeadLetters,
			Open: func(ctx context.Context, owner sagasql.Service) (inbox.Source, error) {
				return rabbit.OpenDeadLetters(ctx, at(url), owner, 10)
			},
		})
	}()
	store := quarantine.Store{DB: db}
	for round := range int64(2) {
		require.Eventually(t, func() bool {
			d, there, err := channel.Get(replies, false)
			require.NoError(t, err)
			return there && d.Reject(false) == nil
		}, patience, 20*time.Millisecond)
		require.Eventually(t, func() bool {
			n, err := store.Count(t.Context(), quarantine.Filter{Codes: []quarantine.Code{inbox.DeadLetter}})
			return err == nil && n == 1
		}, patience, 20*time.Millisecond)
		held, err := store.List(t.Context(), quarantine.Filter{}, 10)
		require.NoError(t, err)
		require.Len(t, held, 1)
		require.Equal(t, round+1, held[0].Deliveries)
		require.Equal(t, replies, held[0].Queue)
		_, err = store.Retry(t.Context(), quarantine.Filter{IDs: []int64{held[0].ID}}, returner(t, url), tester, quietly)
		require.NoError(t, err)
	}
	cancel()
	require.NoError(t, <-ended)
	back, there, err := channel.Get(replies, true)
	require.NoError(t, err)
	require.True(t, there)
	require.Equal(t, sent, asPublished(back))
	require.Zero(t, depth(t, url, protocol.DeadQueue(testenv.Service)))
}
