package inbox_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
)

// While it may not take messages no session is open. What was in hand is finished and
// acknowledged, and what waited behind it goes back.
func TestNothingIsTakenUntilItIsReady(t *testing.T) {
	b := setUp(t, numbers(60)...)
	b.workers = 1
	var refusal atomic.Pointer[error]
	refuse := func(err error) { refusal.Store(&err) }
	asked := make(chan struct{})
	b.ready = func(ctx context.Context) error {
		select {
		case asked <- struct{}{}:
		case <-ctx.Done():
		}
		return *refusal.Load()
	}
	await := func(questions int) {
		t.Helper()
		for range questions {
			select {
			case <-asked:
			case <-time.After(soon):
				require.Fail(t, "it is not asked whether it may take messages")
			}
		}
	}
	why := errors.New("the answers lie there")
	refuse(why)
	inHand, finish := make(chan struct{}), make(chan struct{})
	finished := sync.OnceFunc(func() { close(finish) })
	defer finished()
	var first atomic.Bool
	b.start(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
		if first.CompareAndSwap(false, true) {
			close(inHand)
			<-finish
		}
		return store(ctx, tx, ds)
	})
	await(4)
	sessions, _ := b.queue.counts()
	require.Equal(t, 1, sessions, "one has declared the queue")
	require.Equal(t, 60, b.queue.depth(), "and taken nothing")
	told := *b.trouble.Load()
	require.ErrorIs(t, told, inbox.ErrNotReady)
	require.ErrorIs(t, told, why)

	refuse(nil)
	working := make(chan struct{})
	go func() {
		defer close(working)
		<-inHand
	}()
	answer := func(until <-chan struct{}) {
		for {
			select {
			case <-asked:
			case <-until:
				return
			}
		}
	}
	answer(working)
	refuse(why)
	await(1)
	finished()
	await(2) // once more, and the session is closed
	sessions, acked := b.queue.counts()
	require.Equal(t, 2, sessions)
	require.Equal(t, 50, acked, "of the 50 in hand each is acknowledged")
	require.Equal(t, 10, b.queue.depth(), "the others are back in the queue")
	require.ErrorIs(t, *b.trouble.Load(), why)

	refuse(nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.awaitAcked(60)
	}()
	answer(done)
	b.queue.mu.Lock()
	defer b.queue.mu.Unlock()
	for _, d := range b.queue.acked[:50] {
		require.False(t, d.Redelivered)
	}
	require.NoError(t, *b.trouble.Load())
	go answer(t.Context().Done())
}
