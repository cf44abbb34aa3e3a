package orchestrator

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
)

// asRole is an engine whose role has the rights and no others.
func (b *bench) asRole(rights []sagasql.Right, statements ...string) (e *Engine, role string) {
	b.Helper()
	db := testenv.Role(b.T, b.db, append(testenv.Grants(rights...), statements...)...)
	e, err := New(Config{DB: db, Store: sagapg.New("", testenv.Service)})
	require.NoError(b, err)
	e.timing = hasty
	return e, db.Config().ConnConfig.User
}

// notReady waits until the engine says that it is not, with all of the texts.
func (b *bench) notReady(e *Engine, texts ...string) {
	b.Helper()
	require.Eventually(b, func() bool {
		err := e.Ready()
		return err != nil && !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(err.Error(), text) })
	}, soon, tick, "want %v, got %v", texts, e.Ready())
}

func (b *bench) ready(e *Engine) {
	b.Helper()
	require.Eventually(b, func() bool { return e.Ready() == nil }, soon, tick)
}

// A reply to a saga that row security hides is no reply to an unknown one, whatever pool
// it is handled with.
func TestARepliesSagaIsHidden(t *testing.T) {
	b := setup(t)
	id := b.start(1)[0]
	e, _ := b.asRole(sagapg.RightsToDrive)
	b.exec(`ALTER TABLE saga ENABLE ROW LEVEL SECURITY`)
	handle := func() error {
		return pgx.BeginFunc(b.ctx, e.DB, func(tx pgx.Tx) error {
			rejections, err := e.Handle(b.ctx, tx, deliveries(b.answer(id, "hotel", saga.Request, saga.OutcomeSucceeded)))
			require.Empty(t, rejections)
			return err
		})
	}
	var refused *pgconn.PgError
	require.ErrorAs(t, handle(), &refused)
	require.Equal(t, "42501", refused.Code)
	_, _, err := e.Check(b.ctx)
	require.ErrorContains(t, err, "BYPASSRLS")
	b.exec(`ALTER TABLE saga DISABLE ROW LEVEL SECURITY`)
	require.NoError(t, handle())
	require.Equal(t, "STARTED REQUEST flight 1", b.status(id))
}

// What is taken from the role while timers run is told with its code and its cure, and
// held against no saga: all fire as soon as it is given back.
func TestTimersTellWhatTheRoleLacks(t *testing.T) {
	b := setup(t)
	e, role := b.asRole(sagapg.RightsToDrive)
	_, _, err := e.Check(b.ctx)
	require.NoError(t, err)
	stop := b.run(e)
	defer stop()
	b.start(3)
	for attempt, change := range []struct{ take, cure string }{
		{"REVOKE INSERT ON outbox FROM {role}", "GRANT INSERT ON public.outbox TO {role}"},
		{"REVOKE SELECT, UPDATE ON saga FROM {role}", "GRANT SELECT, UPDATE ON public.saga TO {role}"},
		{"ALTER TABLE saga ENABLE ROW LEVEL SECURITY", "ALTER ROLE {role} BYPASSRLS"},
	} {
		b.ready(e)
		testenv.AsRole(t, b.db, role, change.take)
		b.overdue()
		b.notReady(e, "42501", strings.ReplaceAll(change.cure, "{role}", role))
		testenv.AsRole(t, b.db, role, change.cure)
		if change.cure != "ALTER ROLE {role} BYPASSRLS" { // after the third attempt a saga turns back
			require.Eventually(t, func() bool { return b.attempts(attempt+2) == 3 }, soon, tick)
		}
	}
	b.ready(e)
	require.Eventually(t, func() bool { return b.count(`SELECT count(*) FROM saga WHERE status = 'ABORTING'`) == 3 }, soon, tick)
	b.sound()
}

// One saga whose timer fails is told of for as long as it is left out; the others go on.
func TestASagaThatIsLeftOutIsTold(t *testing.T) {
	b := setup(t)
	ids := b.start(2)
	b.exec(`UPDATE saga SET step_status = '{"ghost": "STARTED"}' WHERE id = $1`, [16]byte(ids[0]))
	b.overdue()
	told := make(chan error, 10_000)
	e := b.engine()
	e.Report = func(err error) { told <- err }
	defer b.run(e)()
	require.Eventually(t, func() bool { return b.attempts(2) == 1 }, soon, tick)
	for range len(told) + 5 { // and not only once
		var row *sagapg.SagaError
		require.ErrorAs(t, <-told, &row)
		require.Equal(t, ids[0], row.ID)
	}
	b.notReady(e, "left out: 1", "does not have")
}

// A role's defaults change nothing: timers fire under read committed, and may write.
func TestTimersDoNotDependOnTheRolesDefaults(t *testing.T) {
	b := setup(t)
	e, _ := b.asRole(sagapg.RightsToDrive, `ALTER ROLE {role} SET default_transaction_isolation = serializable`,
		`ALTER ROLE {role} SET default_transaction_read_only = on`)
	b.exec(`CREATE TABLE level (name text); GRANT INSERT ON level TO PUBLIC;
		CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.level VALUES (current_setting('transaction_isolation')); RETURN NEW; END $$;
		CREATE TRIGGER note AFTER UPDATE ON saga FOR EACH ROW EXECUTE FUNCTION note()`)
	b.start(1)
	b.exec(`TRUNCATE level`)
	stop := b.run(e)
	defer stop()
	b.exec(`ALTER TABLE saga DISABLE TRIGGER note`)
	b.overdue()
	b.exec(`ALTER TABLE saga ENABLE TRIGGER note`)
	require.Eventually(t, func() bool { return b.attempts(2) == 1 || b.count(`SELECT count(*) FROM level`) > 0 }, soon, tick)
	require.Eventually(t, func() bool { return b.attempts(2) == 1 }, soon, tick)
	require.Zero(t, b.count(`SELECT count(*) FROM level WHERE name <> 'read committed'`))
}

// Retention that lacks a right says which, each time, and goes on when it has it.
func TestExpiryTellsWhatItLacks(t *testing.T) {
	b := setup(t)
	b.finished(5, 2)
	e, role := b.asRole(sagapg.RightsToExpire, `REVOKE DELETE ON saga_history FROM {role}`)
	x, _ := b.expiry()
	x.DB = e.DB
	told := make(chan error, 1000)
	x.Report = func(err error) { told <- err }
	defer b.tend(x)()
	require.ErrorContains(t, <-told, "GRANT DELETE ON public.saga_history TO "+role)
	testenv.AsRole(t, b.db, role, "GRANT DELETE ON saga_history TO {role}")
	require.Eventually(t, func() bool { return b.left() == 0 && <-told == nil }, soon, tick)
}
