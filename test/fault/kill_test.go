package fault

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/dev/stack/stacktest"
)

const (
	reservations = 200
	clients      = 8
	patience     = 3 * time.Minute
)

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

// TestKillEveryDaemon places 200 reservations and kills each daemon in turn with
// SIGKILL while they are under way. Afterwards every one has ended as it has to,
// and the hotel's rooms and the payments' ledger agree with it.
func TestKillEveryDaemon(t *testing.T) {
	s := stacktest.Start(t)
	ids := make([]string, reservations)
	var next atomic.Int64
	group, ctx := errgroup.WithContext(t.Context())
	for range clients {
		group.Go(func() error {
			for n := int(next.Add(1)) - 1; n < reservations; n = int(next.Add(1)) - 1 {
				w, _ := wish(n)
				id, err := s.Place(ctx, w, fmt.Sprintf("key-%d", n))
				if err != nil {
					return err
				}
				ids[n] = id
			}
			return nil
		})
	}
	// Each kill comes when the work has got on, so that it hits sagas under way.
	for i, name := range stack.Daemons {
		placed := (i + 1) * reservations / (len(stack.Daemons) + 2)
		require.Eventually(t, func() bool { return int(next.Load()) > placed }, patience, 5*time.Millisecond)
		open := stacktest.Count(t, s.Reservation, `SELECT count(*) FROM reservation WHERE status = 'PENDING'`)
		t.Logf("killing %s with %d reservations pending", name, open)
		require.NoError(t, s.Restart(t.Context(), name))
	}
	require.NoError(t, group.Wait())
	require.Eventually(t, func() bool {
		return stacktest.Count(t, s.Reservation, `SELECT count(*) FROM reservation WHERE status = 'PENDING'`) == 0
	}, patience, 50*time.Millisecond, "every reservation ends")

	requireOutcomes(t, s, ids)
	requireAgreement(t, s)
	requireWholeHistories(t, s)
	requireQuiet(t, s)
}

// requireOutcomes compares each reservation and its saga with what was wished.
func requireOutcomes(t *testing.T, s *stacktest.Stack, ids []string) {
	t.Helper()
	require.Equal(t, reservations, stacktest.Count(t, s.Reservation, `SELECT count(*) FROM reservation`), "one each, however often it was asked for")
	saga := map[string]string{"SUCCEED": "COMPLETED", "FAILED": "ABORTED"}
	for n, id := range ids {
		_, want := wish(n)
		var status, sagaStatus string
		require.NoError(t, s.Reservation.QueryRow(t.Context(),
			`SELECT r.status, s.status FROM reservation r JOIN saga s ON s.id = r.saga_id WHERE r.id = $1`, id).Scan(&status, &sagaStatus))
		require.Equal(t, want, status, "reservation %d", n)
		require.Equal(t, saga[want], sagaStatus, "saga of reservation %d", n)
	}
}

// requireAgreement compares the three databases: a room is held and money kept
// for exactly the sagas that completed.
func requireAgreement(t *testing.T, s *stacktest.Stack) {
	t.Helper()
	completed := lines(t, s.Reservation, `SELECT id::text FROM saga WHERE status = 'COMPLETED' ORDER BY 1`)
	rooms := lines(t, s.Hotel, `SELECT saga_id::text FROM booking WHERE state = 'ACTIVE' ORDER BY 1`)
	require.Equal(t, completed, rooms, "a room for each completed saga and for no other")
	paid := lines(t, s.Payment, `
		SELECT saga_id::text FROM ledger GROUP BY 1
		HAVING sum(CASE kind WHEN 'CHARGE' THEN amount ELSE -amount END) = 12500 ORDER BY 1`)
	require.Equal(t, completed, paid, "each paid once and in full")
	kept := stacktest.Count(t, s.Payment, `SELECT coalesce(sum(CASE kind WHEN 'CHARGE' THEN amount ELSE -amount END), 0) FROM ledger`)
	require.Equal(t, 12500*len(completed), kept, "and no other money is kept")
}

func lines(t *testing.T, db *pgxpool.Pool, query string) []string {
	t.Helper()
	rows, err := db.Query(t.Context(), query)
	require.NoError(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return found
}

// requireWholeHistories: no transition was lost or applied twice.
func requireWholeHistories(t *testing.T, s *stacktest.Stack) {
	t.Helper()
	require.Zero(t, stacktest.Count(t, s.Reservation, `
		SELECT count(*) FROM saga s WHERE s.version <> (SELECT count(*) FROM saga_history h WHERE h.saga_id = s.id)`))
	require.Zero(t, stacktest.Count(t, s.Reservation, `
		SELECT count(*) FROM (
			SELECT seq, from_status, lag(seq) OVER w AS before, lag(to_status) OVER w AS was
			FROM saga_history WINDOW w AS (PARTITION BY saga_id ORDER BY seq)) AS h
		WHERE (before IS NULL AND seq <> 1) OR (before IS NOT NULL AND (seq <> before + 1 OR from_status <> was))`))
}

// requireQuiet: nothing waits to be published and nothing was set aside.
func requireQuiet(t *testing.T, s *stacktest.Stack) {
	t.Helper()
	for name, db := range map[string]*pgxpool.Pool{"reservation": s.Reservation, "hotel": s.Hotel, "payment": s.Payment} {
		require.Eventually(t, func() bool { return stacktest.Count(t, db, `SELECT pending FROM outbox_lag`) == 0 },
			patience, 50*time.Millisecond, "the outbox of %s is published", name)
		require.Zero(t, stacktest.Count(t, db, `SELECT count(*) FROM inbox_quarantine`), "quarantine of %s", name)
	}
}
