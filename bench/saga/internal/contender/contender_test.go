package contender_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/saga/internal/booking"
	"go.example/saga/bench/saga/internal/contender"
	"go.example/saga/internal/testenv"
)

// TestMain also plays the contenders' clients: they are this program again.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == contender.Verb {
		if err := contender.Serve(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	testenv.Main(m)
}

func open(t *testing.T) *lab.Lab {
	t.Helper()
	l, err := lab.Open(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func start(t *testing.T, l *lab.Lab, c contender.Contender) (*contender.Running, booking.Databases) {
	t.Helper()
	databases, err := booking.Make(t.Context(), l.Database)
	require.NoError(t, err)
	running, err := c.Start(t.Context(), l, contender.Job{Databases: databases, AMQP: l.AMQP})
	require.NoError(t, err)
	return running, databases
}

// Whoever carries out the orders, every one ends, and the databases agree.
func TestContendersEndAllOrders(t *testing.T) {
	t.Parallel()
	l := open(t)
	programs, err := l.Build(t.Context(), contender.Programs...)
	require.NoError(t, err)
	for _, c := range contender.All(programs) {
		t.Run(c.Name, func(t *testing.T) {
			running, databases := start(t, l, c)
			defer func() { require.NoError(t, running.Stop()) }()
			seconds, times, err := running.Carry(t.Context(), contender.Load{Orders: 120, Clients: 8, Running: 40})
			require.NoError(t, err)
			require.Positive(t, seconds)
			require.EqualValues(t, 120, times.TotalCount())
			_, times, err = running.Carry(t.Context(), contender.Load{First: 120, Orders: 20, PerSecond: 100})
			require.NoError(t, err)
			require.EqualValues(t, 20, times.TotalCount())
			require.NoError(t, booking.Compare(t.Context(), databases, 140, c.Sagas))
			require.ErrorContains(t, booking.Compare(t.Context(), databases, 141, c.Sagas), "140 reservations of 141")
			require.Len(t, running.PIDs(), len(running.PeakMemory()))
		})
	}
}

// Whatever does not fit is found, with the saga that it is about.
func TestAnInconsistentSagaIsFound(t *testing.T) {
	t.Parallel()
	l := open(t)
	running, databases := start(t, l, contender.Contender{Name: contender.Floor})
	const orders = 20
	_, _, err := running.Carry(t.Context(), contender.Load{Orders: orders, Clients: 4, Running: 4})
	require.NoError(t, err)
	require.NoError(t, running.Stop())
	require.NoError(t, booking.Compare(t.Context(), databases, orders, false))
	require.ErrorContains(t, booking.Compare(t.Context(), databases, orders, true), "is inconsistent", "there are no sagas")

	var completed, aborted string
	at := func(url, statement string, values ...any) {
		conn, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
		_, err = conn.Exec(t.Context(), statement, values...)
		require.NoError(t, err)
	}
	conn, err := pgx.Connect(t.Context(), databases.Reservation)
	require.NoError(t, err)
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT min(id::text) FILTER (WHERE status = 'SUCCEED'), min(id::text) FILTER (WHERE status = 'FAILED')
		FROM reservation`).Scan(&completed, &aborted))
	require.NoError(t, conn.Close(t.Context()))

	const (
		release = `UPDATE booking SET state = 'RELEASED', released_at = now() WHERE saga_id = $1::text::uuid`
		book    = `UPDATE booking SET state = 'ACTIVE', released_at = NULL WHERE saga_id = $1::text::uuid`
		reopen  = `UPDATE reservation SET status = 'PENDING', failure_reason = NULL WHERE saga_id = $1::text::uuid`
		fail    = `UPDATE reservation SET status = 'FAILED', failure_reason = 'x' WHERE saga_id = $1::text::uuid`
		refund  = `INSERT INTO ledger (saga_id, kind, amount, card_token, card_last4)
			SELECT saga_id, 'REFUND', 1, card_token, card_last4 FROM ledger WHERE saga_id = $1::text::uuid`
	)
	for _, plant := range []struct{ url, damage, mend, saga, says string }{
		{databases.Hotel, release, book, completed, "booking"},
		{databases.Hotel, book, release, aborted, "booking"},
		{databases.Reservation, reopen, fail, aborted, "PENDING"},
		{databases.Payment, refund, "", completed, "was paid"},
	} {
		at(plant.url, plant.damage, plant.saga)
		err := booking.Compare(t.Context(), databases, orders, false)
		require.ErrorContains(t, err, plant.saga)
		require.ErrorContains(t, err, plant.says)
		if plant.mend != "" { // the ledger is append-only
			at(plant.url, plant.mend, plant.saga)
			require.NoError(t, booking.Compare(t.Context(), databases, orders, false))
		}
	}
}

func TestAClientThatFailsSaysSo(t *testing.T) {
	t.Parallel()
	l := open(t)
	running, _ := start(t, l, contender.Contender{Name: contender.Floor})
	defer func() { require.NoError(t, running.Stop()) }()
	_, _, err := running.Carry(t.Context(), contender.Load{Orders: 1, Clients: 1, Running: 1})
	require.NoError(t, err)
	_, _, err = running.Carry(t.Context(), contender.Load{Orders: 1, Clients: 1, Running: 1})
	require.ErrorContains(t, err, "order 0: ", "the room is taken")
}
