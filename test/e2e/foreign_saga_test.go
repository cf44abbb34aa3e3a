package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/dev/stack/stacktest"
)

// cashFirst is the reservation with the foreign participant in it, and before
// the hotel, so that the hotel's refusal makes it compensate.
const cashFirst = `
name: room-reservation
version: 2
steps:
  - name: cash
    destination: cash-desk
    request:
      timeout: 10s
      retry: {initial: 1s, factor: 2, max: 30s, jitter: 0.2, attempts: 5}
    cancel:
      timeout: 10s
      retry: {initial: 1s, factor: 2, max: 1m, jitter: 0.2, attempts: 20}
  - name: room-booking
    destination: hotel
    request:
      timeout: 10s
      retry: {initial: 1s, factor: 2, max: 30s, jitter: 0.2, attempts: 5}
    cancel:
      timeout: 10s
      retry: {initial: 1s, factor: 2, max: 1m, jitter: 0.2, attempts: 20}
`

// A participant written from docs/protocol.md with an AMQP client, in this
// folder without a line of pkg/, takes part in sagas that complete, that are
// compensated and that it refuses itself.
func TestForeignParticipant(t *testing.T) {
	t.Parallel()
	s, roles := stacktest.StartAsRoles(t)
	c, err := openCashier(s.AMQP)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.close()) })
	apply(t, roles.URL(t, s.Reservation, "saga_orchestrator"), cashFirst)
	require.NoError(t, s.Restart(t.Context(), "reservation"), "it reads the new definition at its start")

	type end struct{ saga, status, problem string }
	place := func(room int, card string) end {
		id, err := s.Place(t.Context(), stacktest.Night(room, 1, "guest", card), fmt.Sprintf("room-%d", room))
		require.NoError(t, err)
		var e end
		require.Eventually(t, func() bool {
			err := s.Reservation.QueryRow(t.Context(), `
				SELECT s.id::text, s.status, coalesce(s.failure->'problem'->>'type', '')
				FROM reservation r JOIN saga s ON s.id = r.saga_id WHERE r.id = $1`, id).Scan(&e.saga, &e.status, &e.problem)
			return err == nil && (e.status == "COMPLETED" || e.status == "ABORTED")
		}, time.Minute, 20*time.Millisecond)
		return e
	}
	booked := place(1, "************1111")
	require.Equal(t, "COMPLETED", booked.status)
	closed := place(2, "************1111")
	require.Equal(t, "ABORTED", closed.status)
	require.Equal(t, "urn:problem:hotel:room-unavailable", closed.problem)
	declined := place(3, "************9999")
	require.Equal(t, "ABORTED", declined.status)
	require.Equal(t, "urn:problem:cashier:declined", declined.problem)

	charged, seen := c.books()
	require.Equal(t, map[string]int64{booked.saga: 12500}, charged, "only the completed saga has cost money")
	require.Equal(t, []string{"cash.REQUEST", "cash.REQUEST", "cash.CANCEL", "cash.REQUEST"}, seen)
	require.Equal(t, 1, stacktest.Count(t, s.Reservation,
		`SELECT count(*) FROM saga WHERE outputs->'cash'->>'ticks' = '9007199254740993' AND id::text = $1`, booked.saga))
	require.Zero(t, stacktest.Count(t, s.Reservation, `SELECT count(*) FROM inbox_quarantine`))
}

// apply stores a definition the way an operator does.
func apply(t *testing.T, database, text string) {
	t.Helper()
	root, err := services.Root()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "definition.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, ".local", "test-bin", "orchestrator"), "definition", "apply", file)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+database)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}
