package participant_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga"
)

// A handler that fails takes nothing with it of those before and behind.
func TestFailuresInOneBatch(t *testing.T) {
	b := setUp(t)
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
}

// A saga's answers leave in the order in which its commands came, also where one of
// them had to wait for another.
func TestRepliesKeepTheOrder(t *testing.T) {
	b := setUp(t)
	id := newSaga()
	b.deliver([]inbox.Delivery{
		command(id, "work", saga.Request, 1, ""), command(id, "work", saga.Request, 2, ""), command(id, "a", saga.Request, 1, ""),
	})
	var got []string
	for _, a := range b.answers(id) {
		got = append(got, a.Reply.Step)
	}
	require.Equal(t, []string{"work", "work", "a"}, got)
}

// once is a session that delivers one batch, and says when all of it is acknowledged.
type once struct {
	ds    []inbox.Delivery
	acked chan struct{}
}

func (o *once) Receive(ctx context.Context, _ int) (inbox.Batch, error) {
	if o.ds == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return o, nil
}

func (o *once) Deliveries() []inbox.Delivery {
	ds := o.ds
	o.ds = nil
	return ds
}

func (o *once) Ack() error {
	close(o.acked)
	return nil
}

func (o *once) Close() error { return nil }

// A handler that breaks the batch's own savepoint fails the whole transaction. Its
// command is found by halving, and the others are done.
func TestACommandThatFailsTheBatchFailsAlone(t *testing.T) {
	b := setUp(t)
	source := &once{acked: make(chan struct{})}
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
	cfg.Open = func(context.Context) (inbox.Source, error) { return source, nil }
	p, err := participant.New(cfg)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	<-source.acked
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
	require.Equal(t, "1", b.text(`SELECT count(*)::text FROM inbox_quarantine`))
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
	cost := func(behaviours ...string) int {
		var ds []inbox.Delivery
		for _, behaviour := range behaviours {
			ds = append(ds, command(newSaga(), "work", saga.Request, 1, behaviour))
		}
		tx, err := db.Begin(t.Context())
		require.NoError(t, err)
		counted.n = 0
		_, err = participant.Handle(b.p, t.Context(), tx, ds)
		require.NoError(t, err)
		trips := counted.n
		require.NoError(t, tx.Commit(t.Context()))
		return trips - len(ds) // each handler has one statement
	}
	require.Equal(t, 1+1, cost(""))
	require.Equal(t, 3+1, cost("", "", ""))
	require.Equal(t, 50+1, cost(make([]string, 50)...))
	require.Equal(t, 3+1, cost("", "refuse", ""), "a rollback leaves the savepoint standing")
}
