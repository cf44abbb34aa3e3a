package quarantine_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox/quarantine"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// broker takes everything and remembers it; once is done while the first message is in hand.
type broker struct {
	taken []int64
	once  func()
}

func (b *broker) PutBack(_ context.Context, m quarantine.Original) error {
	b.taken = append(b.taken, m.ID)
	if once := b.once; once != nil {
		b.once = nil
		once()
	}
	return nil
}

func (b *broker) Close() error { return nil }

func (b *broker) open(context.Context) (quarantine.Session, error) { return b, nil }

// set has the quarantine hold messages that are due.
func set(t *testing.T, db *pgxpool.Pool, n int) {
	t.Helper()
	_, err := db.Exec(t.Context(), `TRUNCATE inbox_quarantine`)
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), `INSERT INTO inbox_quarantine
			(state, retry_at, consumer, queue, message_id, code, reason, exchange, routing_key, properties, headers, body, message_sha256)
		SELECT 'held', now() - interval '1 minute', 'test', 'q', 'm' || n, 'failing', 'why', '', '', '{}', '{}', '', n::text::bytea
		FROM generate_series(1, $1::integer) AS n`, n)
	require.NoError(t, err)
}

// What one has in hand another neither waits for nor takes, whatever the two are about.
func TestTwoSideBySideTakeEachMessageOnce(t *testing.T) {
	t.Parallel()
	testenv.Connections(t, 4)
	db := testenv.Database(t, sagasql.Inbox)
	store := &quarantine.Store{DB: db}
	all := quarantine.Filter{}
	nobody := func(int64) {}
	const n = 50
	for name, beside := range map[string]func(ctx context.Context, b *broker) (n int64, err error){
		"retry": func(ctx context.Context, b *broker) (int64, error) {
			result, err := store.Retry(ctx, all, b, quarantine.Signature{By: "ada"}, nobody)
			return result.Retried, err
		},
		"due": func(ctx context.Context, b *broker) (int64, error) {
			result, err := store.PutBackDue(ctx, "test", b.open)
			return result.Retried, err
		},
		"discard": func(ctx context.Context, _ *broker) (int64, error) {
			return store.Discard(ctx, all, quarantine.Signature{By: "ada"}, nobody)
		},
	} {
		for first, put := range map[string]func(b *broker) (quarantine.Result, error){
			"retry": func(b *broker) (quarantine.Result, error) {
				return store.Retry(t.Context(), all, b, quarantine.Signature{By: "eve"}, nobody)
			},
			"due": func(b *broker) (quarantine.Result, error) { return store.PutBackDue(t.Context(), "test", b.open) },
		} {
			set(t, db, n)
			one, other, others := &broker{}, &broker{}, int64(0)
			one.once = func() {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				var err error
				others, err = beside(ctx, other)
				require.NoError(t, err, "%s beside %s waits for nobody", name, first)
			}
			result, err := put(one)
			require.NoError(t, err)
			require.Positive(t, others, "%s beside %s", name, first)
			require.EqualValues(t, n, result.Retried+others, "%s beside %s: each once", name, first)
			for _, id := range other.taken {
				require.NotContains(t, one.taken, id, "%s beside %s", name, first)
			}
		}
	}
}

// A row that somebody has in hand is not waited for when old ones are deleted.
func TestForgettingWaitsForNobody(t *testing.T) {
	t.Parallel()
	testenv.Connections(t, 4)
	db := testenv.Database(t, sagasql.Inbox)
	store := &quarantine.Store{DB: db}
	set(t, db, 3)
	_, err := db.Exec(t.Context(), `UPDATE inbox_quarantine SET state = 'dead', retry_at = NULL,
		received_at = now() - interval '90 days', last_received_at = now() - interval '90 days'`)
	require.NoError(t, err)
	tx, err := db.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = tx.Exec(t.Context(), `SELECT FROM inbox_quarantine WHERE message_id = 'm2' FOR UPDATE`)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	gone, err := store.Forget(ctx, "test", quarantine.Retention{})
	require.NoError(t, err)
	require.EqualValues(t, 2, gone.Dead)
	require.NoError(t, tx.Rollback(t.Context()))
	gone, err = store.Forget(t.Context(), "test", quarantine.Retention{})
	require.NoError(t, err)
	require.EqualValues(t, 1, gone.Dead)
}
