package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
	"go.example/saga/internal/testenv"
)

// Services with a schema each in one database work under the rights of docs/roles.md, one
// relay for all of them, and none of them reaches a table of another.
func TestARoleForEachServiceOfADatabase(t *testing.T) {
	t.Parallel()
	s, roles := stacktest.StartSharedAsRoles(t)
	for n := range 10 {
		_, err := s.Place(t.Context(), stacktest.Night(1+n%2, n, "guest", "************1111"), fmt.Sprint(n))
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		return stacktest.Count(t, s.Reservation, `SELECT count(*) FROM reservation WHERE status <> 'PENDING'`) == 10
	}, time.Minute, 20*time.Millisecond)
	require.Equal(t, 5, stacktest.Count(t, s.Hotel, `SELECT count(*) FROM booking`), "the other room is closed")
	require.Equal(t, 5, stacktest.Count(t, s.Payment, `SELECT count(*) FROM ledger`))
	name := s.Hotel.Config().ConnConfig.Database
	for _, schema := range []string{"reservation", "hotel", "payment"} {
		roles.RunIn(t, s.Hotel, schema, "", "The relay", "relay status")
	}
	_, err := s.Command(t.Context(), "relay", "status") // nobody has granted the upkeep
	require.ErrorContains(t, err, "lacks rights for the task upkeep")
	require.Regexp(t, name+`/reservation +0 +active .*\n`+name+`/hotel +0 +active .*\n`+name+`/payment +0 +active `, err.Error())

	testenv.Connections(t, 10)
	rows, err := s.Hotel.Query(t.Context(), `SELECT relnamespace::regnamespace::text, relname::text FROM pg_class
		WHERE relnamespace::regnamespace::text IN ('reservation', 'hotel', 'payment') AND relkind IN ('r', 'p', 'v')`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ Schema, Name string }])
	require.NoError(t, err)
	for role, own := range map[string]string{
		"saga_reservation": "reservation", "saga_orchestrator": "reservation", "saga_hotel": "hotel", "saga_payment": "payment",
	} {
		as := roles.Pool(t, s.Hotel, role)
		seen := 0
		for _, table := range tables {
			_, err := as.Exec(t.Context(), `SELECT FROM `+pgx.Identifier{table.Schema, table.Name}.Sanitize())
			if table.Schema == own {
				if err == nil {
					seen++
				}
				continue
			}
			requireDenied(t, err, role+" reads "+table.Schema+"."+table.Name)
		}
		require.Greater(t, seen, 2, "%s reads its own", role)
		for _, other := range []string{"reservation", "hotel", "payment"} {
			if other != own {
				_, err := as.Exec(t.Context(), `INSERT INTO `+other+`.outbox DEFAULT VALUES`)
				requireDenied(t, err, role+" writes to the outbox of "+other)
			}
		}
	}
	relay := roles.Pool(t, s.Hotel, "saga_relay")
	for _, table := range []string{"reservation.reservation", "reservation.saga", "hotel.booking", "hotel.saga_barrier", "payment.ledger"} {
		_, err := relay.Exec(t.Context(), `SELECT FROM `+table)
		requireDenied(t, err, "the relay reads "+table)
	}
}

func requireDenied(t *testing.T, err error, what string) {
	t.Helper()
	var denied *pgconn.PgError
	require.ErrorAs(t, err, &denied, what)
	require.Equal(t, "42501", denied.Code, what)
}
