package outboxpg

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// bundle is a database with an outbox, and a reader of it.
type bundle struct {
	*testing.T
	ctx  context.Context
	pool *pgxpool.Pool
	log  *Log
}

func setup(t *testing.T) *bundle {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	return &bundle{T: t, ctx: t.Context(), pool: pool, log: New(pool, "")}
}

type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// insert writes an outbox row whose type is what the test recognises it by.
func (b *bundle) insert(db execer, key, name string) {
	b.Helper()
	require.NoError(b, insert(b.ctx, db, key, name))
}

func insert(ctx context.Context, db execer, key, name string) error {
	_, err := db.Exec(ctx, `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		VALUES ('test', $1, $2, '', 'queue', '{"n": 1}')`, key, name)
	return err
}

func (b *bundle) begin() pgx.Tx {
	b.Helper()
	conn, err := pgx.Connect(b.ctx, b.pool.Config().ConnString())
	require.NoError(b, err)
	b.Cleanup(func() { _ = conn.Close(context.Background()) })
	tx, err := conn.Begin(b.ctx)
	require.NoError(b, err)
	return tx
}

func (b *bundle) acquire(holder string) *Tenure {
	b.Helper()
	t, err := b.log.Acquire(b.ctx, 0, holder, time.Minute)
	require.NoError(b, err)
	return t
}

func (b *bundle) lag() Lag {
	b.Helper()
	lags, err := b.log.Lag(b.ctx)
	require.NoError(b, err)
	require.Len(b, lags, 1)
	return lags[0]
}

func (b *bundle) save(t *Tenure, p Progress) Saved {
	b.Helper()
	saved, err := t.Save(b.ctx, p)
	require.NoError(b, err)
	return saved
}

func (b *bundle) isLost(t *Tenure, p Progress) {
	b.Helper()
	_, err := t.Save(b.ctx, p)
	require.ErrorIs(b, err, ErrLost)
}

// drain reads pages until there is nothing new, and returns the rows' types and
// the place reached.
func (b *bundle) drain(t *Tenure, from Position, size int) ([]string, Position) {
	b.Helper()
	var names []string
	for {
		page, err := t.Read(b.ctx, from, size)
		require.NoError(b, err)
		from = page.End()
		if len(page.Records) == 0 {
			return names, from
		}
		for _, r := range page.Records {
			names = append(names, r.Type)
		}
	}
}

func numbered(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(prefix, i)
	}
	return names
}
