package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
)

// The five daemons, each as its role of docs/roles.md: a reservation completes, one is
// refused by its first step, and one is compensated.
func TestSampleAsItsRoles(t *testing.T) {
	t.Parallel()
	s, _ := stacktest.StartAsRoles(t)
	for key, c := range map[string]struct {
		wish   stacktest.Wish
		status string
		booked string // what the hotel remembers of it
		paid   int64
	}{
		"free":     {stacktest.Night(1, 1, "ada", "************1111"), "SUCCEED", "ACTIVE", 12500},
		"closed":   {stacktest.Night(2, 1, "ada", "************1111"), "FAILED", "", 0},
		"declined": {stacktest.Night(3, 1, "ada", "************9999"), "FAILED", "RELEASED", 0},
	} {
		id, err := s.Place(t.Context(), c.wish, key)
		require.NoError(t, err)
		var saga, status string
		require.Eventually(t, func() bool {
			err := s.Reservation.QueryRow(t.Context(), `SELECT saga_id::text, status FROM reservation WHERE id = $1`, id).Scan(&saga, &status)
			return err == nil && status != "PENDING"
		}, time.Minute, 20*time.Millisecond, key)
		require.Equal(t, c.status, status, key)
		var booked string
		require.NoError(t, s.Hotel.QueryRow(t.Context(), `SELECT coalesce(max(state), '') FROM booking WHERE saga_id = $1`, saga).Scan(&booked))
		require.Equal(t, c.booked, booked, key)
		var paid int64
		require.NoError(t, s.Payment.QueryRow(t.Context(), `SELECT coalesce(sum(net), 0) FROM ledger_net WHERE saga_id = $1`, saga).Scan(&paid))
		require.Equal(t, c.paid, paid, key)
	}
}
