package fault

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// pending counts the reservations that have not ended.
func pending(t *testing.T, s *stacktest.Stack) int {
	t.Helper()
	return stacktest.Count(t, s.Reservation, `SELECT count(*) FROM reservation WHERE status = 'PENDING'`)
}

// requireAllWell waits until every reservation has ended and checks, with SQL,
// that nothing was lost, doubled or left standing. The ids are those of the
// wishes from 0 on.
func requireAllWell(t *testing.T, s *stacktest.Stack, ids []string) {
	t.Helper()
	require.Eventually(t, func() bool { return pending(t, s) == 0 }, patience, 20*time.Millisecond, "every reservation ends")
	requireOutcomes(t, s, ids)
	requireAgreement(t, s)
	requireWholeHistories(t, s)
	requireQuiet(t, s)
	requireEveryMessageHeard(t, s)
}

// requireOutcomes compares each reservation and its saga with what was wished.
func requireOutcomes(t *testing.T, s *stacktest.Stack, ids []string) {
	t.Helper()
	require.Equal(t, len(ids), stacktest.Count(t, s.Reservation, `SELECT count(*) FROM reservation`), "one each, however often it was asked for")
	ends := map[string]string{"SUCCEED": "COMPLETED", "FAILED": "ABORTED"}
	for n, id := range ids {
		_, want := wish(n)
		var status, sagaStatus string
		require.NoError(t, s.Reservation.QueryRow(t.Context(),
			`SELECT r.status, s.status FROM reservation r JOIN saga s ON s.id = r.saga_id WHERE r.id = $1`, id).Scan(&status, &sagaStatus))
		require.Equal(t, want, status, "reservation %d", n)
		require.Equal(t, ends[want], sagaStatus, "saga of reservation %d", n)
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

// requireEveryMessageHeard: each command was answered and each answer is in a
// history. A saga that was repaired by its timer does not hide a lost message.
// That the events arrived shows in the reservations.
func requireEveryMessageHeard(t *testing.T, s *stacktest.Stack) {
	t.Helper()
	const ids = `SELECT event_id::text FROM outbox`
	unheard := func() (n int) {
		answers, heard := map[string]bool{}, map[string]bool{}
		const replies = ids + ` WHERE exchange = ''` // in a schema of their own there are no others
		for _, id := range slices.Concat(lines(t, s.Hotel, replies), lines(t, s.Payment, replies)) {
			answers[id] = true
		}
		for _, id := range lines(t, s.Reservation, `SELECT message_id FROM saga_history WHERE kind = 'reply'`) {
			heard[id] = true
		}
		for _, id := range lines(t, s.Reservation, ids+` WHERE exchange = 'saga.commands'`) {
			if !slices.ContainsFunc(outcomes, func(o saga.Outcome) bool { return answers[protocol.ReplyID(uuid.MustParse(id), o).String()] }) {
				n++
			}
		}
		for id := range answers {
			if !heard[id] {
				n++
			}
		}
		return n
	}
	// Repetitions may still be on their way when the sagas have ended.
	require.Eventually(t, func() bool { return unheard() == 0 }, patience, 50*time.Millisecond, "a command or a reply was lost")
}

var outcomes = []saga.Outcome{saga.OutcomeSucceeded, saga.OutcomeFailed, saga.OutcomeRetry, saga.OutcomeCompensated}
