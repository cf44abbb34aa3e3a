package e2e

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/dev/stack/stacktest"
)

// Reservations come side by side, and all is as it should be: each ends well, nothing is set
// aside, and no program has a word to say. `make versions-test` lets 200 come on each
// version of the servers.
func TestReservationsWithoutAWarning(t *testing.T) {
	t.Parallel()
	n, err := strconv.Atoi(os.Getenv("RESERVATIONS"))
	if err != nil {
		n = 40
	}
	s := stacktest.Start(t)
	said := map[string]int{} // at the start one program may have to wait for another
	for _, name := range stack.Daemons {
		said[name] = len(logOf(t, s, name))
	}
	began := time.Now()
	var guests errgroup.Group
	guests.SetLimit(8)
	for i := range n {
		guests.Go(func() error {
			_, err := s.Place(t.Context(), stacktest.Night(1+i%2*2, i, "guest", "************1111"), fmt.Sprint("key-", i))
			return err
		})
	}
	require.NoError(t, guests.Wait())
	require.Eventually(t, func() bool {
		return stacktest.Count(t, s.Reservation, `SELECT count(*) FROM reservation WHERE status <> 'PENDING'`) == n
	}, 3*time.Minute, 20*time.Millisecond, "every reservation ends")
	t.Logf("%d reservations in %v", n, time.Since(began).Round(time.Millisecond))
	require.Equal(t, n, stacktest.Count(t, s.Reservation, `SELECT count(*) FROM reservation WHERE status = 'SUCCEED'`))
	require.Equal(t, n, stacktest.Count(t, s.Hotel, `SELECT count(*) FROM booking WHERE state = 'ACTIVE'`))
	require.Equal(t, n, stacktest.Count(t, s.Payment, `SELECT count(*) FROM ledger`))
	for name, db := range map[string]*pgxpool.Pool{"reservation": s.Reservation, "hotel": s.Hotel, "payment": s.Payment} {
		require.Zero(t, stacktest.Count(t, db, `SELECT count(*) FROM inbox_quarantine`), "set aside by %s", name)
	}
	for _, name := range stack.Daemons {
		for line := range bytes.Lines(logOf(t, s, name)[said[name]:]) {
			require.NotRegexp(t, `\b(WARN|ERROR|FATAL|PANIC)\b`, string(line), name)
		}
	}
}

func logOf(t *testing.T, s *stacktest.Stack, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(s.LogFile(name))
	require.NoError(t, err)
	return text
}
