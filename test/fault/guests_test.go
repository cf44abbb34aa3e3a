package fault

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"go.example/saga/internal/dev/stack/stacktest"
)

// patience is for a machine that does many other things.
const patience = 3 * time.Minute

// clients place reservations side by side.
const clients = 8

// wish is reservation number n: three of five are granted, one has its card
// declined after the room was booked, one asks for the closed room.
func wish(n int) (w stacktest.Wish, status string) {
	guest := fmt.Sprintf("guest-%d", n)
	switch n % 5 {
	case 3:
		return stacktest.Night(3, n, guest, "************9999"), "FAILED"
	case 4:
		return stacktest.Night(2, n, guest, "************1111"), "FAILED"
	default:
		return stacktest.Night(1+n%2*2, n, guest, "************1111"), "SUCCEED"
	}
}

// key is the idempotency key of reservation number n.
func key(n int) string { return fmt.Sprintf("key-%d", n) }

// guests are on their way to place one reservation each.
type guests struct {
	ids    []string
	next   atomic.Int64
	placed atomic.Int64
	group  *errgroup.Group
}

// arrive lets n guests place their reservations.
func arrive(t *testing.T, s *stacktest.Stack, n int) *guests {
	t.Helper()
	g := &guests{ids: make([]string, n)}
	group, ctx := errgroup.WithContext(t.Context())
	g.group = group
	for range clients {
		group.Go(func() error {
			for i := int(g.next.Add(1)) - 1; i < n; i = int(g.next.Add(1)) - 1 {
				w, _ := wish(i)
				id, err := s.Place(ctx, w, key(i))
				if err != nil {
					return err
				}
				g.ids[i] = id
				g.placed.Add(1)
			}
			return nil
		})
	}
	return g
}

// awaitPlaced waits until more than n reservations are placed.
func (g *guests) awaitPlaced(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return int(g.placed.Load()) > n }, patience, time.Millisecond, "placed so far: %d", g.placed.Load())
}

// served waits until all are placed and returns their ids.
func (g *guests) served(t *testing.T) []string {
	t.Helper()
	require.NoError(t, g.group.Wait())
	return g.ids
}
