package participant_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// A handler that fails takes nothing with it of those before and behind.
func TestFailuresInOneBatch(t *testing.T) {
	bothForms(t, func(t *testing.T, b *bench) {
		var ds []inbox.Delivery
		behaviours := []string{"", "refuse", "", "sqlfail", "hide", "", "panic", "refuse", "", "rollback", ""}
		ids := make([]saga.ID, len(behaviours))
		for i, behaviour := range behaviours {
			ids[i] = newSaga()
			ds = append(ds, command(ids[i], "work", saga.Request, 1, behaviour))
		}
		b.deliver(ds)
		for i, behaviour := range behaviours {
			want := map[string][2]string{"": {"succeeded", "REQUEST"}, "refuse": {"failed", ""}}[behaviour]
			require.Equal(t, want, [2]string{b.state(ids[i]), b.effects(ids[i])}, behaviour)
			require.Len(t, b.answers(ids[i]), 1)
		}
	})
}

// A saga's answers leave in the order in which its commands came, also where one of
// them had to wait for another.
func TestRepliesKeepTheOrder(t *testing.T) {
	bothForms(t, func(t *testing.T, b *bench) {
		id := newSaga()
		b.deliver([]inbox.Delivery{
			command(id, "work", saga.Request, 1, ""), command(id, "work", saga.Request, 2, ""), command(id, "a", saga.Request, 1, ""),
		})
		var got []string
		for _, a := range b.answers(id) {
			got = append(got, a.Reply.Step)
		}
		require.Equal(t, []string{"work", "work", "a"}, got)
	})
}

// once is a session that delivers one batch, and tells which places are acknowledged singly.
type once struct {
	ds    []inbox.Delivery
	taken bool
	acked chan int
}

func (o *once) Receive(ctx context.Context, _ int) (inbox.Batch, error) {
	if o.taken {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	o.taken = true
	return o, nil
}

func (o *once) Deliveries() []inbox.Delivery { return o.ds }
func (o *once) Ack() error                   { return errors.New("not all of it is done") }

func (o *once) AckOnly(place int) error {
	o.acked <- place
	return nil
}

func (o *once) Close() error { return nil }

// A handler that breaks the batch's own savepoint fails the whole transaction. Its
// command is found by halving, and the others are done. It is held, for nobody knows yet
// whether it is to blame.
func TestACommandThatFailsTheBatchFailsAlone(t *testing.T) {
	bothForms(t, func(t *testing.T, b *bench) {
		source := &once{acked: make(chan int, 5)}
		ids := make([]saga.ID, 5)
		for i := range ids {
			ids[i] = newSaga()
			behaviour := ""
			if i == 2 {
				behaviour = "release"
			}
			source.ds = append(source.ds, command(ids[i], "work", saga.Request, 1, behaviour))
		}
		cfg := b.Config
		cfg.Open = func(context.Context, sagasql.Service) (inbox.Source, error) { return source, nil }
		p, err := participant.New(cfg)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		var acked []int
		for range 4 {
			acked = append(acked, <-source.acked)
		}
		stop()
		require.NoError(t, <-ended)
		for i, id := range ids {
			if i == 2 {
				require.Empty(t, b.state(id)+b.effects(id))
				continue
			}
			require.Equal(t, "succeeded", b.state(id))
			require.Len(t, b.answers(id), 1)
		}
		require.ElementsMatch(t, []int{0, 1, 3, 4}, acked)
		require.Equal(t, "0", b.text(`SELECT count(*)::text FROM inbox_quarantine`))
	})
}

// trips counts what the client waits for: statements, and batches of them.
type trips struct{ n int }

func (c *trips) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n++
	return ctx
}

func (c *trips) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (c *trips) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	c.n++
	return ctx
}

func (c *trips) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (c *trips) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// A batch costs the round trips that the documentation of the package says.
func TestRoundTrips(t *testing.T) {
	b := setUp(t)
	var counted trips
	cfg := b.DB.Config()
	cfg.MaxConns = 1
	cfg.ConnConfig.Tracer = &counted
	db, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	cost := func(p *participant.Participant, handlers int, ds ...inbox.Delivery) int {
		tx, err := db.Begin(t.Context())
		require.NoError(t, err)
		counted.n = 0
		_, err = participant.Handle(p, t.Context(), tx, ds)
		require.NoError(t, err)
		trips := counted.n
		require.NoError(t, tx.Commit(t.Context()))
		return trips - handlers // each has one statement
	}
	requests := func(behaviours ...string) (ds []inbox.Delivery) {
		for _, behaviour := range behaviours {
			ds = append(ds, command(newSaga(), "work", saga.Request, 1, behaviour))
		}
		return ds
	}
	require.Equal(t, 1+1, cost(b.p, 1, requests("")...))
	require.Equal(t, 3+1, cost(b.p, 3, requests("", "", "")...))
	require.Equal(t, 50+1, cost(b.p, 50, requests(make([]string, 50)...)...))
	require.Equal(t, 3+1, cost(b.p, 3, requests("", "refuse", "")...), "a rollback leaves the savepoint standing")

	all := b.Config
	all.Steps = map[string]participant.Step{"work": {RequestAll: together, CancelAll: together}, "a": {Request: request}}
	p, err := participant.New(all)
	require.NoError(t, err)
	require.Equal(t, 1+1, cost(p, 1, requests(make([]string, 50)...)...))
	require.Equal(t, 1+1, cost(p, 1, requests("", "refuse", "", "refuse")...))
	done := requests("", "", "")
	require.Equal(t, 1+1, cost(p, 1, done...))
	var mixed []inbox.Delivery
	for _, d := range done {
		id := saga.ID(uuid.MustParse(d.Headers[protocol.HeaderSagaID]))
		mixed = append(mixed, command(id, "work", saga.Cancel, 1, ""), command(newSaga(), "work", saga.Request, 1, ""), command(id, "a", saga.Request, 1, ""))
	}
	require.Equal(t, 5+1, cost(p, 5, mixed...), "two sets, and three alone")
}

// Whatever else a set does wrong, nobody but the command to blame pays for it.
func TestSetsThatFail(t *testing.T) {
	b := setUp(t)
	ids := []saga.ID{newSaga(), newSaga(), newSaga(), newSaga(), newSaga()}
	var bad saga.ID
	sizes := []int{}
	run := func(do func(i int, r []participant.Result) ([]participant.Result, error)) error {
		bad, sizes = ids[2], nil
		cfg := b.Config
		cfg.Steps = map[string]participant.Step{"work": {RequestAll: func(ctx context.Context, tx pgx.Tx, cmds []participant.Command) ([]participant.Result, error) {
			results, err := together(ctx, tx, cmds)
			require.NoError(t, err)
			sizes = append(sizes, len(cmds))
			for i, cmd := range cmds {
				require.True(t, i == 0 || bytes.Compare(cmds[i-1].SagaID[:], cmd.SagaID[:]) < 0, "in the order of the sagas")
				if cmd.SagaID == bad {
					return do(i, results)
				}
			}
			return results, nil
		}}}
		p, err := participant.New(cfg)
		require.NoError(t, err)
		_, err = b.DB.Exec(t.Context(), `DELETE FROM outbox; TRUNCATE effect, saga_barrier`)
		require.NoError(t, err)
		var ds []inbox.Delivery
		for _, id := range []saga.ID{ids[4], ids[1], ids[3], ids[0], ids[2]} {
			ds = append(ds, command(id, "work", saga.Request, 1, ""))
		}
		return pgx.BeginFunc(t.Context(), b.DB, func(tx pgx.Tx) error {
			_, err := participant.Handle(p, t.Context(), tx, ds)
			return err
		})
	}
	fails := errors.New("no")
	for name, c := range map[string]struct {
		do    func(i int, r []participant.Result) ([]participant.Result, error)
		calls []int
	}{
		"an error":            {func(int, []participant.Result) ([]participant.Result, error) { return nil, fails }, []int{5, 2, 3, 1, 2}},
		"a result is missing": {func(_ int, r []participant.Result) ([]participant.Result, error) { return r[1:], nil }, []int{5, 2, 3, 1, 2}},
		"its own error": {func(i int, r []participant.Result) ([]participant.Result, error) {
			r[i].Err = fails
			return r, nil
		}, []int{5, 4}},
		"an output that cannot be kept": {func(i int, r []participant.Result) ([]participant.Result, error) {
			r[i].Output = jsonmap.JSONMap{"a": "\x00"}
			return r, nil
		}, []int{5, 4}},
	} {
		require.NoError(t, run(c.do), name)
		require.Equal(t, c.calls, sizes, name)
		for i, id := range ids {
			want := [3]string{"succeeded", "succeeded", "REQUEST"}
			if i == 2 {
				want = [3]string{"retry"}
			}
			require.Equal(t, want, [3]string{string(b.answers(id)[0].Reply.Outcome), b.state(id), b.effects(id)}, name)
		}
	}
	// All of it is to be repeated, whoever says so.
	err := run(func(i int, r []participant.Result) ([]participant.Result, error) {
		r[i].Err = &pgconn.PgError{Code: "40001"}
		return r, nil
	})
	require.ErrorContains(t, err, "40001")
	require.Equal(t, "0", b.text(`SELECT count(*)::text FROM saga_barrier`))
	// Nothing to say is success.
	require.NoError(t, run(func(int, []participant.Result) ([]participant.Result, error) { return nil, nil }))
	require.Equal(t, "5 {}", b.text(`SELECT count(*) || ' ' || min(reply::text) FROM saga_barrier WHERE state = 'succeeded'`))
}
