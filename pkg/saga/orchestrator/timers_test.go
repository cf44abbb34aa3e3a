package orchestrator

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

const (
	soon = 20 * time.Second
	tick = 10 * time.Millisecond
)

// run runs the engines' timers until the returned function is called.
func (b *bench) run(engines ...*Engine) (stop func()) {
	ctx, cancel := context.WithCancel(b.ctx)
	ended := make(chan error, len(engines))
	for _, e := range engines {
		go func() { ended <- e.RunTimers(ctx) }()
	}
	return func() {
		cancel()
		for range engines {
			require.NoError(b, <-ended)
		}
	}
}

func (b *bench) sweeper() *sweeper {
	return b.engine().newSweeper()
}

// Two instances share the due timers: each fires once.
func TestTwoInstancesShareTheTimers(t *testing.T) {
	b := setup(t)
	const sagas = 120
	b.start(sagas)
	b.overdue()
	engines := []*Engine{b.engine(), b.engine()}
	for _, e := range engines {
		e.MaxBatch = 7
	}
	stop := b.run(engines...)
	require.Eventually(t, func() bool {
		return b.attempts(2) == sagas
	}, soon, tick)
	stop()
	require.Equal(t, 2*sagas, b.count(`SELECT count(*) FROM saga_history`))
	b.sound()
}

// A timer is fired soon after it is due, although it was not there before.
func TestTimerFiresInTime(t *testing.T) {
	b := setup(t)
	stop := b.run(b.engine())
	defer stop()
	b.start(1)
	b.dueAt(`clock_timestamp() + interval '100 milliseconds'`)
	require.Eventually(t, func() bool {
		return b.count(`SELECT count(*) FROM saga_history WHERE kind = 'timer' AND disposition = 'advanced'`) == 1
	}, soon, tick)
	require.Zero(t, b.count(`SELECT count(*) FROM saga_history WHERE kind = 'timer' AND disposition = 'late'`))
}

// While a reply is being applied the timer passes over the saga, and afterwards it
// is not due any more.
func TestTimerWhileAReplyIsApplied(t *testing.T) {
	b := setup(t)
	id := b.start(1)[0]
	b.overdue()
	sweeper := b.sweeper()
	require.NoError(t, pgx.BeginFunc(b.ctx, b.db, func(tx pgx.Tx) error {
		_, err := b.engine().Handle(b.ctx, tx, deliveries(b.answer(id, "hotel", saga.Request, saga.OutcomeSucceeded)))
		require.NoError(t, err)
		fired, err := sweeper.fire(b.ctx, nil)
		require.NoError(t, err)
		require.Empty(t, fired)
		return nil
	}))
	fired, err := sweeper.fire(b.ctx, nil)
	require.NoError(t, err)
	require.Empty(t, fired)
	require.Equal(t, "STARTED REQUEST flight 1", b.status(id))
	require.Zero(t, b.count(`SELECT count(*) FROM saga_history WHERE kind = 'timer'`))
}

// A reply that comes while the timer is being applied waits, and then counts.
func TestReplyWhileATimerIsApplied(t *testing.T) {
	b := setup(t)
	id := b.start(1)[0]
	b.overdue()
	handled := make(chan error, 1)
	require.NoError(t, pgx.BeginFunc(b.ctx, b.db, func(tx pgx.Tx) error {
		due, now, err := b.store.Due(b.ctx, tx, 10, nil, &sagapg.Published{})
		require.NoError(t, err)
		require.Len(t, due, 1)
		reply := b.answer(id, "hotel", saga.Request, saga.OutcomeSucceeded)
		go func() {
			handled <- pgx.BeginFunc(b.ctx, b.db, func(tx pgx.Tx) error {
				_, err := b.engine().Handle(b.ctx, tx, deliveries(reply))
				return err
			})
		}()
		require.Eventually(t, func() bool {
			return b.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 1
		}, soon, tick)
		batch := newBatch(due, now)
		batch.apply(id, saga.Timer{})
		return b.store.Save(b.ctx, tx, batch.changes())
	}))
	require.NoError(t, <-handled)
	require.Equal(t, "STARTED REQUEST flight 1", b.status(id))
	require.Equal(t, 3, b.count(`SELECT version FROM saga`))
	b.sound()
}

// One saga that cannot be stepped, and one that cannot be saved, hold up nobody.
func TestSagasThatFailHoldUpNobody(t *testing.T) {
	b := setup(t)
	ids := b.start(20)
	strange, unsavable := uuid.UUID(ids[3]), uuid.UUID(ids[11])
	b.exec(`UPDATE saga SET step_status = '{"ghost": "STARTED"}' WHERE id = $1`, strange)
	b.exec(fmt.Sprintf(`CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted'; END $$;
		CREATE TRIGGER trap BEFORE UPDATE ON saga FOR EACH ROW WHEN (NEW.id = '%s' AND jsonb_path_exists(NEW.waiting, '$.*.attempt ? (@ > 1)')) EXECUTE FUNCTION trap()`, unsavable))
	b.overdue()
	stop := b.run(b.engine())
	defer stop()
	require.Eventually(t, func() bool {
		return b.attempts(2) == len(ids)-2
	}, soon, tick)
	require.Equal(t, 2, b.attempts(1), "the two")
	b.sound()
}

// A connection that is lost while a single timer is written is not held against the
// saga: it fires soon after, although a saga that fails is left out for a minute.
func TestALostConnectionIsNotTheSagasFault(t *testing.T) {
	b := setup(t)
	b.start(1)
	b.overdue()
	b.exec(`CREATE SEQUENCE tries;
		CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('tries') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW;
		END $$;
		CREATE TRIGGER trap BEFORE UPDATE ON saga FOR EACH ROW EXECUTE FUNCTION trap()`)
	stop := b.run(b.engine())
	defer stop()
	require.Eventually(t, func() bool { return b.attempts(2) == 1 }, soon, tick)
	require.Equal(t, 2, b.count(`SELECT last_value FROM tries`))
	b.sound()
}

// The loop outlives the database's absence and says that it is not ready.
func TestDatabaseGoesAwayAndComesBack(t *testing.T) {
	b := setup(t)
	b.start(1)
	admin := b.admin()
	name := b.db.Config().ConnConfig.Database
	e := b.engine()
	stop := b.run(e)
	defer stop()
	require.NoError(t, e.Ready())

	allow := func(yes bool) {
		_, err := admin.Exec(b.ctx, fmt.Sprintf(`ALTER DATABASE %s ALLOW_CONNECTIONS %t`, pgx.Identifier{name}.Sanitize(), yes))
		require.NoError(t, err)
	}
	b.overdue()
	require.Eventually(t, func() bool { return b.attempts(2) == 1 }, soon, tick)
	allow(false)
	_, err := admin.Exec(b.ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, name)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return e.Ready() != nil }, soon, tick)
	allow(true)
	require.Eventually(t, func() bool { return e.Ready() == nil }, soon, tick)
	b.overdue()
	require.Eventually(t, func() bool { return b.attempts(3) == 1 }, soon, tick)
}

// admin is a connection to the server that is not to the bench's database.
func (b *bench) admin() *pgx.Conn {
	b.Helper()
	config := b.db.Config().ConnConfig.Copy()
	config.Database = "postgres"
	conn, err := pgx.ConnectConfig(b.ctx, config)
	require.NoError(b, err)
	b.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}
