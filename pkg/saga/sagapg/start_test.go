package sagapg_test

import (
	"database/sql"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

func request(key string) sagapg.StartRequest {
	return sagapg.StartRequest{BusinessKey: key, Payload: jsonmap.JSONMap{"roomId": 1}}
}

func TestStartWritesSagaHistoryAndCommand(t *testing.T) {
	b := setup(t)
	id := b.start("K-1")

	state := b.load(id)
	require.Equal(t, saga.StatusStarted, state.Status)
	require.Equal(t, saga.StepStarted, state.Steps[0].Status)
	require.Equal(t, 1, state.Steps[0].Attempt)
	require.Equal(t, "K-1", state.BusinessKey)
	require.EqualValues(t, 1, state.Version)
	require.WithinRange(t, state.WakeAt(), state.StartedAt.Add(b.def.Steps[0].Request.Timeout), state.StartedAt.Add(2*b.def.Steps[0].Request.Timeout))

	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga_history WHERE saga_id = $1 AND seq = 1 AND kind = 'start'
		AND sent = '{REQUEST room-booking #1}'`, uuid.UUID(id)))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM outbox WHERE aggregate_id = $1 AND exchange = 'saga.commands'
		AND routing_key = 'room-booking' AND reply_to = 'saga.replies.trips' AND payload #>> '{payload,room}' = '1'`,
		uuid.UUID(id).String()))
}

// A saga can be over as soon as it is started.
func TestStartThatBeginsNothing(t *testing.T) {
	needless, failing := plan(), plan()
	needless.Steps[0].When, needless.Steps[1].When = "false", "payload.room > 1"
	failing.Steps[0].When = "payload.room.floor > 1"
	for i, c := range []struct {
		def    saga.Definition
		status saga.Status
		event  string
	}{
		{needless, saga.StatusCompleted, "trips.room-reservation.completed"},
		{failing, saga.StatusAborted, "trips.room-reservation.aborted"},
	} {
		t.Run(string(c.status), func(t *testing.T) {
			b := setup(t)
			c.def.Version = i + 2
			b.follow(c.def)
			id := b.start("K-1")
			require.Equal(t, c.status, b.load(id).Status)
			require.Equal(t, 1, b.count(`SELECT count(*) FROM outbox WHERE routing_key = $1`, c.event))
			require.Equal(t, 1, b.count(`SELECT count(*) FROM saga_history WHERE to_status = $1`, c.status))
		})
	}
}

// A start that fails anywhere leaves nothing of the caller's work or its own.
func TestStartThatFailsLeavesNothing(t *testing.T) {
	planted := errors.New("planted")
	cases := map[string]struct {
		plant string
		after error
	}{
		"before the saga row":  {plant: trapOn("saga")},
		"after the saga row":   {plant: trapOn("saga_history")},
		"at the outbox row":    {plant: trapOn("outbox")},
		"after the outbox row": {after: planted},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.exec(`CREATE TABLE reservation (id int)`)
			if c.plant != "" {
				b.exec(c.plant)
			}
			err := b.tx(func(tx pgx.Tx) error {
				if _, err := tx.Exec(b.ctx, `INSERT INTO reservation VALUES (1)`); err != nil {
					return err
				}
				if _, _, err := b.store.Start(b.ctx, tx, b.def, request("K-1")); err != nil {
					return err
				}
				return c.after
			})
			require.ErrorContains(t, err, "planted")
			for _, table := range []string{"reservation", "saga", "saga_history", "outbox"} {
				require.Zero(t, b.count(`SELECT count(*) FROM `+table), table)
			}
		})
	}
}

func trapOn(table string) string {
	return `CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted'; END $$;
		CREATE TRIGGER trap AFTER INSERT ON ` + table + ` FOR EACH ROW EXECUTE FUNCTION trap()`
}

func TestStartIsIdempotentByBusinessKey(t *testing.T) {
	b := setup(t)
	first := b.start("K-1")
	require.NoError(t, b.tx(func(tx pgx.Tx) error {
		again, started, err := b.store.Start(b.ctx, tx, b.def, request("K-1"))
		require.Equal(t, first, again)
		require.False(t, started)
		return err
	}))
	require.NotEqual(t, first, b.start("K-2"))
	without := b.start("")
	require.NotEqual(t, without, b.start(""), "no key is no key that two could share")
	require.Equal(t, 4, b.count(`SELECT count(*) FROM outbox`))
}

func TestConcurrentStartsMakeOneSaga(t *testing.T) {
	b := setup(t)
	const starters = 5
	var wg sync.WaitGroup
	ids, started, errs := make([]saga.ID, starters), make([]bool, starters), make([]error, starters)
	gate := make(chan struct{})
	for i := range starters {
		wg.Go(func() {
			errs[i] = b.tx(func(tx pgx.Tx) (err error) {
				<-gate
				ids[i], started[i], err = b.store.Start(b.ctx, tx, b.def, request("K-1"))
				return err
			})
		})
	}
	close(gate)
	wg.Wait()
	won := 0
	for i := range starters {
		require.NoError(t, errs[i])
		require.Equal(t, ids[0], ids[i])
		if started[i] {
			won++
		}
	}
	require.Equal(t, 1, won)
	require.Equal(t, 1, b.count(`SELECT count(*) FROM outbox`))
}

func TestStartSQL(t *testing.T) {
	b := setup(t)
	db := stdlib.OpenDBFromPool(b.db)
	defer db.Close()
	start := func(commit bool) (id saga.ID, started bool) {
		tx, err := db.BeginTx(b.ctx, &sql.TxOptions{})
		require.NoError(t, err)
		id, started, err = b.store.StartSQL(b.ctx, tx, b.def, request("K-1"))
		require.NoError(t, err)
		if commit {
			require.NoError(t, tx.Commit())
		} else {
			require.NoError(t, tx.Rollback())
		}
		return id, started
	}
	_, started := start(false)
	require.True(t, started)
	require.Zero(t, b.count(`SELECT count(*) FROM outbox`))

	first, started := start(true)
	require.True(t, started)
	again, started := start(true)
	require.False(t, started)
	require.Equal(t, first, again)
	require.Equal(t, 1, b.count(`SELECT count(*) FROM outbox WHERE aggregate_id = $1`, uuid.UUID(first).String()))
}

func TestStartNeedsExactlyTheStoredDefinition(t *testing.T) {
	b := setup(t)
	unknown := plan()
	unknown.Version = 2
	err := b.tx(func(tx pgx.Tx) error {
		_, _, err := b.store.Start(b.ctx, tx, unknown, request("K-1"))
		return err
	})
	require.ErrorIs(t, err, sagapg.ErrNoDefinition)
	require.ErrorContains(t, err, "version 2")
	require.ErrorContains(t, err, "definition apply")

	other := plan()
	other.Steps[1].Destination = "elsewhere"
	err = b.tx(func(tx pgx.Tx) error {
		_, _, err := b.store.Start(b.ctx, tx, other, request("K-1"))
		return err
	})
	require.ErrorIs(t, err, sagapg.ErrDefinitionDiffers)
	require.ErrorContains(t, err, "raise the version to 2")
	require.Zero(t, b.count(`SELECT count(*) FROM saga`))
}

// A caller with another service's name would start sagas whose answers nobody hears.
func TestASagaIsNotStartedInAnotherServicesSchema(t *testing.T) {
	b := setup(t)
	b.store = sagapg.New("", "others")
	err := b.tx(func(tx pgx.Tx) error {
		_, _, err := b.store.Start(b.ctx, tx, b.def, sagapg.StartRequest{})
		return err
	})
	require.ErrorContains(t, err, "sagas of the service others cannot be started in a schema of the service trips")
	var pg *pgconn.PgError
	require.ErrorAs(t, err, &pg)
	require.Equal(t, "saga_service_is_another", pg.ConstraintName)
	b.store = sagapg.New("", "")
	err = b.tx(func(tx pgx.Tx) error {
		_, _, err := b.store.Start(b.ctx, tx, b.def, sagapg.StartRequest{})
		return err
	})
	require.ErrorContains(t, err, "no service's name")
	require.Panics(t, func() { sagapg.New("", "no name") })
	require.Zero(t, b.count(`SELECT count(*) FROM saga`))
}
