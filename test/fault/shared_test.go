package fault

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/dev/stack/stacktest"
)

// The services share one database, and the relay and a participant are killed while a hundred
// reservations are under way: nothing is lost or doubled in either form.
func TestASharedDatabaseUnderKills(t *testing.T) {
	t.Parallel()
	const reservations = 100
	for form, victims := range map[stack.Form][]string{
		stack.SharedSchema: {"relay", "hotel", "relay", "payment"},
		stack.SharedTable:  {"relay", "participants", "relay", "orchestrator"},
	} {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			s := stacktest.StartShared(t, form)
			g := arrive(t, s, reservations)
			for i, name := range victims {
				g.awaitPlaced(t, (i+1)*reservations/(len(victims)+2))
				t.Logf("killing %s with %d reservations pending", name, pending(t, s))
				require.NoError(t, s.Restart(t.Context(), name))
			}
			ids := g.served(t)
			requireAllWell(t, s, ids)
			requireServices(t, s, form)
			requireWholeAnswer(t, s, ids[0])
		})
	}
}

// requireWholeAnswer: whoever shows what the hotel and the payment service hold is reached.
func requireWholeAnswer(t *testing.T, s *stacktest.Stack, id string) {
	t.Helper()
	res, err := http.Get(s.URL() + "/api/v1/reservations/" + id + "?expand=booking,payment,saga")
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, errors.Join(err, res.Body.Close()))
	for _, part := range []string{`"state":"ACTIVE"`, `"charged":12500`, `"status":"COMPLETED"`} {
		require.Contains(t, string(body), part)
	}
	require.NotContains(t, string(body), `"why"`)
}

// requireServices compares what the form promises: a name and a log for each service, or one
// for all.
func requireServices(t *testing.T, s *stacktest.Stack, form stack.Form) {
	t.Helper()
	names := lines(t, s.Reservation, `SELECT format('%s.%s', c.relnamespace::regnamespace, c.relname) FROM pg_class AS c
		WHERE c.relname IN ('outbox', 'saga_barrier', 'booking', 'ledger', 'reservation', 'saga') AND c.relkind IN ('r', 'p') ORDER BY 1`)
	if form == stack.SharedTable {
		require.Equal(t, []string{"public.booking", "public.ledger", "public.outbox", "public.reservation", "public.saga", "public.saga_barrier"}, names)
		require.Equal(t, []string{"reservation"}, lines(t, s.Hotel, `SELECT name FROM saga_service`))
		require.Equal(t, 2, stacktest.Count(t, s.Reservation, `SELECT count(DISTINCT step) FROM saga_barrier`), "one barrier for both steps")
		return
	}
	require.Equal(t, []string{
		"hotel.booking", "hotel.outbox", "hotel.saga_barrier", "payment.ledger", "payment.outbox", "payment.saga_barrier",
		"reservation.outbox", "reservation.reservation", "reservation.saga",
	}, names)
	require.Equal(t, []string{"hotel", "payment", "reservation"}, lines(t, s.Reservation, `SELECT name FROM hotel.saga_service
		UNION ALL SELECT name FROM payment.saga_service UNION ALL SELECT name FROM reservation.saga_service ORDER BY 1`))
}
