package participant_test

import (
	"context"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga"
)

// arrival is one command and the answer it must get. The behaviour is what its
// handler would do if it ran.
type arrival struct {
	op        saga.Operation
	behaviour string
	want      saga.Outcome
}

// orders are the orders in which commands can arrive, each with the effects that
// the handlers may have had and what the barrier remembers.
var orders = []struct {
	name     string
	arrivals []arrival
	effects  string
	rows     string
}{
	{
		"request",
		[]arrival{{"REQUEST", "", "succeeded"}},
		"REQUEST", "REQUEST succeeded",
	},
	{
		"request twice",
		[]arrival{{"REQUEST", "", "succeeded"}, {"REQUEST", "", "succeeded"}},
		"REQUEST", "REQUEST succeeded",
	},
	{
		"request that would fail the second time",
		[]arrival{{"REQUEST", "", "succeeded"}, {"REQUEST", "refuse", "succeeded"}},
		"REQUEST", "REQUEST succeeded",
	},
	{
		"request, cancel",
		[]arrival{{"REQUEST", "", "succeeded"}, {"CANCEL", "", "compensated"}},
		"REQUEST CANCEL", "REQUEST succeeded, CANCEL compensated",
	},
	{
		"request, cancel twice",
		[]arrival{{"REQUEST", "", "succeeded"}, {"CANCEL", "", "compensated"}, {"CANCEL", "panic", "compensated"}},
		"REQUEST CANCEL", "REQUEST succeeded, CANCEL compensated",
	},
	{
		"request, cancel, request again",
		[]arrival{{"REQUEST", "", "succeeded"}, {"CANCEL", "", "compensated"}, {"REQUEST", "", "succeeded"}},
		"REQUEST CANCEL", "REQUEST succeeded, CANCEL compensated",
	},
	{
		"refused",
		[]arrival{{"REQUEST", "refuse", "failed"}},
		"", "REQUEST failed without effect",
	},
	{
		"refused stays refused",
		[]arrival{{"REQUEST", "refuse", "failed"}, {"REQUEST", "", "failed"}, {"REQUEST", "", "failed"}},
		"", "REQUEST failed without effect",
	},
	{
		"refused, cancel",
		[]arrival{{"REQUEST", "refuse", "failed"}, {"CANCEL", "panic", "compensated"}, {"CANCEL", "panic", "compensated"}},
		"", "REQUEST failed without effect, CANCEL compensated without effect",
	},
	{
		"cancel before request",
		[]arrival{{"CANCEL", "panic", "compensated"}, {"REQUEST", "", "failed"}},
		"", "REQUEST cancelled without effect, CANCEL compensated without effect",
	},
	{
		"cancel twice before request twice",
		[]arrival{
			{"CANCEL", "panic", "compensated"},
			{"CANCEL", "panic", "compensated"},
			{"REQUEST", "", "failed"},
			{"REQUEST", "", "failed"},
			{"CANCEL", "panic", "compensated"},
		},
		"", "REQUEST cancelled without effect, CANCEL compensated without effect",
	},
	{
		"technical error, then well",
		[]arrival{{"REQUEST", "fail", "retry"}, {"REQUEST", "", "succeeded"}},
		"REQUEST", "REQUEST succeeded",
	},
	{
		"technical error, then refused",
		[]arrival{{"REQUEST", "sqlfail", "retry"}, {"REQUEST", "refuse", "failed"}},
		"", "REQUEST failed without effect",
	},
	{
		"technical error, cancel, request",
		[]arrival{{"REQUEST", "panic", "retry"}, {"CANCEL", "panic", "compensated"}, {"REQUEST", "", "failed"}},
		"", "REQUEST cancelled without effect, CANCEL compensated without effect",
	},
	{
		"hidden error of the database",
		[]arrival{{"REQUEST", "hide", "retry"}, {"REQUEST", "", "succeeded"}},
		"REQUEST", "REQUEST succeeded",
	},
	{
		"compensation refused is not kept",
		[]arrival{{"REQUEST", "", "succeeded"}, {"CANCEL", "refuse", "failed"}, {"CANCEL", "", "compensated"}},
		"REQUEST CANCEL", "REQUEST succeeded, CANCEL compensated",
	},
	{
		"compensation fails, then works",
		[]arrival{{"REQUEST", "", "succeeded"}, {"CANCEL", "fail", "retry"}, {"CANCEL", "panic", "retry"}, {"CANCEL", "", "compensated"}},
		"REQUEST CANCEL", "REQUEST succeeded, CANCEL compensated",
	},
}

func (b *bench) checkOrders(deliver func(ds []inbox.Delivery)) {
	for _, o := range orders {
		id := newSaga()
		var ds []inbox.Delivery
		var want, got []saga.Outcome
		for i, a := range o.arrivals {
			ds = append(ds, command(id, "work", a.op, i+1, a.behaviour))
			want = append(want, a.want)
		}
		deliver(ds)
		for _, a := range b.answers(id) {
			got = append(got, a.Reply.Outcome)
		}
		require.Equal(b.t, want, got, o.name)
		require.Equal(b.t, o.effects, b.effects(id), o.name)
		require.Equal(b.t, o.rows, b.rows(id), o.name)
	}
}

func TestOrdersOfArrival(t *testing.T) {
	b := setUp(t)
	b.checkOrders(func(ds []inbox.Delivery) {
		for _, d := range ds {
			rejections, err := b.handle(d)
			require.NoError(t, err)
			require.Empty(t, rejections)
		}
	})
}

// One transaction for all of them makes no difference.
func TestOrdersOfArrivalInOneBatch(t *testing.T) {
	b := setUp(t)
	b.checkOrders(func(ds []inbox.Delivery) {
		rejections, err := b.handle(ds...)
		require.NoError(t, err)
		require.Empty(t, rejections)
	})
}

// Whatever the race, the step's effects are both or none.
func TestRequestAgainstCancel(t *testing.T) {
	b := setUp(t)
	other, err := participant.New(b.Config)
	require.NoError(t, err)
	seen := map[string]int{}
	for range 200 {
		id := newSaga()
		deliver := func(p *participant.Participant, d inbox.Delivery) error {
			return pgx.BeginFunc(context.Background(), b.DB, func(tx pgx.Tx) error {
				_, err := participant.Handle(p, context.Background(), tx, []inbox.Delivery{d})
				return err
			})
		}
		errs := make(chan error, 2)
		go func() { errs <- deliver(b.p, command(id, "work", saga.Request, 1, "")) }()
		go func() { errs <- deliver(other, command(id, "work", saga.Cancel, 1, "")) }()
		require.NoError(t, <-errs)
		require.NoError(t, <-errs)
		rows, effects := b.rows(id), b.effects(id)
		seen[rows]++
		switch rows {
		case "REQUEST succeeded, CANCEL compensated":
			require.Equal(t, "REQUEST CANCEL", effects)
		case "REQUEST cancelled without effect, CANCEL compensated without effect":
			require.Empty(t, effects)
		default:
			t.Fatalf("the barrier says %q", rows)
		}
	}
	t.Log(seen)
}

// The loser of the race waits for the winner's transaction, whichever it is and
// however it ends.
func TestTheLoserWaitsForTheWinner(t *testing.T) {
	b := setUp(t)
	for name, c := range map[string]struct {
		first, second saga.Operation
		commit        bool
		rows          string
	}{
		"request commits":    {saga.Request, saga.Cancel, true, "REQUEST succeeded, CANCEL compensated"},
		"request rolls back": {saga.Request, saga.Cancel, false, "REQUEST cancelled without effect, CANCEL compensated without effect"},
		"cancel commits":     {saga.Cancel, saga.Request, true, "REQUEST cancelled without effect, CANCEL compensated without effect"},
		"cancel rolls back":  {saga.Cancel, saga.Request, false, "REQUEST succeeded"},
	} {
		id := newSaga()
		tx, err := b.DB.Begin(t.Context())
		require.NoError(t, err)
		_, err = participant.Handle(b.p, t.Context(), tx, []inbox.Delivery{command(id, "work", c.first, 1, "")})
		require.NoError(t, err)
		loser := make(chan error, 1)
		go func() {
			_, err := b.handle(command(id, "work", c.second, 1, ""))
			loser <- err
		}()
		require.Eventually(t, func() bool {
			return b.text(`SELECT count(*)::text FROM pg_locks WHERE NOT granted AND pid IN
				(SELECT pid FROM pg_stat_activity WHERE datname = current_database())`) == "1"
		}, soon, often, name)
		if c.commit {
			require.NoError(t, tx.Commit(t.Context()))
		} else {
			require.NoError(t, tx.Rollback(t.Context()))
		}
		require.NoError(t, <-loser, name)
		require.Equal(t, c.rows, b.rows(id), name)
	}
}

// Two instances get the same sagas' commands in opposite order.
func TestInstancesDoNotDeadlock(t *testing.T) {
	b := setUp(t)
	for range 20 {
		var forth, back []inbox.Delivery
		for range 20 {
			id := newSaga()
			forth = append(forth, command(id, "work", saga.Request, 1, ""))
			back = append([]inbox.Delivery{command(id, "work", saga.Cancel, 1, "")}, back...)
		}
		var all sync.WaitGroup
		for _, ds := range [][]inbox.Delivery{forth, back} {
			all.Go(func() {
				if _, err := b.handle(ds...); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
}

// The functions are an interface of their own: participants in other languages
// call them.
func TestBarrierInPlainSQL(t *testing.T) {
	b := setUp(t)
	enter := func(db interface {
		QueryRow(context.Context, string, ...any) pgx.Row
	}, id saga.ID, op string,
	) (run bool, answer, body string) {
		require.NoError(t, db.QueryRow(t.Context(),
			`SELECT run, coalesce(answer, ''), coalesce(body::text, '') FROM saga_barrier_enter($1, 'work', $2)`,
			[16]byte(id), op).Scan(&run, &answer, &body))
		return run, answer, body
	}
	id := newSaga()
	tx, err := b.DB.Begin(t.Context())
	require.NoError(t, err)
	run, _, _ := enter(tx, id, "REQUEST")
	require.True(t, run)
	_, err = tx.Exec(t.Context(), `SELECT saga_barrier_succeed($1, 'work', '{"a": 1}')`, [16]byte(id))
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
	run, answer, body := enter(b.DB, id, "REQUEST")
	require.False(t, run)
	require.Equal(t, `succeeded {"a": 1}`, answer+" "+body)

	refused := newSaga()
	for range 2 { // the second refusal changes nothing
		require.NoError(t, b.DB.QueryRow(t.Context(), `SELECT answer, body::text FROM saga_barrier_refuse($1, 'work', '{"title": "No"}')`,
			[16]byte(refused)).Scan(&answer, &body))
		require.Equal(t, `failed {"title": "No"}`, answer+" "+body)
	}
	// Whoever decided first is right.
	require.NoError(t, b.DB.QueryRow(t.Context(), `SELECT answer, body::text FROM saga_barrier_refuse($1, 'work', '{"title": "No"}')`,
		[16]byte(id)).Scan(&answer, &body))
	require.Equal(t, `succeeded {"a": 1}`, answer+" "+body)

	_, err = b.DB.Exec(t.Context(), `SELECT saga_barrier_enter(gen_random_uuid(), 'work', 'UNDO')`)
	require.ErrorContains(t, err, "want REQUEST or CANCEL")
	_, err = b.DB.Exec(t.Context(), `SELECT saga_barrier_succeed(gen_random_uuid(), 'work', '{}')`)
	require.ErrorContains(t, err, "was not entered")
}
