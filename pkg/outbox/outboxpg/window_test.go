package outboxpg

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
)

func TestTheEmptyPastComesFirst(t *testing.T) {
	b := setup(t)
	want := numbered("m", 25)
	for _, name := range want {
		b.insert(b.pool, "k", name)
	}
	tenure := b.acquire("one")
	got, end := b.drain(tenure, tenure.Position(), 7)
	require.Equal(t, want, got)
	got, _ = b.drain(tenure, end, 7)
	require.Empty(t, got)
}

func TestRecordCarriesTheRow(t *testing.T) {
	b := setup(t)
	_, err := b.pool.Exec(b.ctx, `INSERT INTO public.outbox
		(event_id, aggregate_type, aggregate_id, type, exchange, routing_key, correlation_id, reply_to, content_type, headers, payload)
		VALUES ('0b7cbd7e-55a1-4a2b-9d7b-6b2a4b0f6d11', 'room', '7', 'room.booked', 'ex', 'rk', 'c', 'r', 'application/x+json', '{"h": "v"}', '{"big": 12345678901234567890.10}')`)
	require.NoError(t, err)
	tenure := b.acquire("one")
	page, err := tenure.Read(b.ctx, tenure.Position(), 1)
	require.NoError(t, err)
	r := page.Records[0]
	require.Equal(t, "0b7cbd7e-55a1-4a2b-9d7b-6b2a4b0f6d11", r.ID.String())
	require.Equal(t, []string{"room", "7", "room.booked", "ex", "rk", "c", "r", "application/x+json"},
		[]string{r.AggregateType, r.AggregateID, r.Type, r.Exchange, r.RoutingKey, r.CorrelationID, r.ReplyTo, r.ContentType})
	require.Equal(t, map[string]string{"h": "v"}, r.Headers)
	require.Equal(t, `{"big": 12345678901234567890.10}`, string(r.Payload))
	require.Equal(t, int64(1), r.Position)
	require.WithinDuration(t, time.Now(), r.CreatedAt, time.Minute)
}

func TestRecordCarriesBytesAndItsTime(t *testing.T) {
	b := setup(t)
	_, err := b.pool.Exec(b.ctx, `INSERT INTO public.outbox
		(aggregate_type, aggregate_id, type, exchange, routing_key, content_type, payload_bytes, deliver_at)
		VALUES ('t', 'k', 'bytes', '', 'q', 'application/x-protobuf', '\x00ff', '2999-01-02 03:04:05+00'),
		       ('t', 'k', 'empty', '', 'q', 'application/x-protobuf', '', '2001-01-01')`)
	require.NoError(t, err)
	tenure := b.acquire("one")
	page, err := tenure.Read(b.ctx, tenure.Position(), 2)
	require.NoError(t, err)
	require.Equal(t, []byte{0x00, 0xff}, page.Records[0].Payload)
	require.True(t, time.Date(2999, 1, 2, 3, 4, 5, 0, time.UTC).Equal(page.Records[0].DeliverAt))
	require.Empty(t, page.Records[1].Payload)
	require.Zero(t, page.Records[1].DeliverAt, "a time that has passed is at once")
}

func TestLateCommitIsPublished(t *testing.T) {
	b := setup(t)
	late := b.begin()
	b.insert(late, "a", "late") // draws id 1
	b.insert(b.pool, "b", "later id")
	tenure := b.acquire("one")
	got, place := b.drain(tenure, tenure.Position(), 10)
	require.Equal(t, []string{"later id"}, got, "the open transaction delays only its own row")

	require.NoError(t, late.Commit(b.ctx))
	got, place = b.drain(tenure, place, 10)
	require.Equal(t, []string{"late"}, got)
	got, _ = b.drain(tenure, place, 10)
	require.Empty(t, got)
}

// The usual look has another way to find the rows of a transaction that has been open for
// very many others.
func TestVeryLateCommitIsPublished(t *testing.T) {
	b := setup(t)
	late, undone := b.begin(), b.begin()
	b.insert(late, "a", "late")
	b.insert(undone, "a", "never was")
	tenure := b.acquire("one")
	got, place := b.drain(tenure, tenure.Position(), 10)
	require.Empty(t, got)
	const others = 250
	for i := range others {
		b.insert(b.pool, "b", fmt.Sprint(i))
	}
	got, place = b.drain(tenure, place, 2*others)
	require.Len(t, got, others)
	require.NoError(t, undone.Rollback(b.ctx))
	b.insert(b.pool, "b", "after it")
	got, place = b.drain(tenure, place, 10)
	require.Equal(t, []string{"after it"}, got)
	require.Greater(t, value[int](b, `SELECT pg_snapshot_xmax($1)::text::bigint - pg_snapshot_xmin($1)::text::bigint`, place.settled), 2*100)

	require.NoError(t, late.Commit(b.ctx))
	got, place = b.drain(tenure, place, 10)
	require.Equal(t, []string{"late"}, got)
	got, _ = b.drain(tenure, place, 10)
	require.Empty(t, got)
}

func TestAnOpenTransactionInAnotherDatabaseDelaysNothing(t *testing.T) {
	b := setup(t)
	other := testenv.Database(t)
	conn, err := pgx.Connect(b.ctx, other.Config().ConnString())
	require.NoError(t, err)
	defer func() { _ = conn.Close(b.ctx) }()
	tx, err := conn.Begin(b.ctx)
	require.NoError(t, err)
	_, err = tx.Exec(b.ctx, `CREATE TABLE holds_a_transaction_number ()`)
	require.NoError(t, err)

	b.insert(b.pool, "a", "now")
	tenure := b.acquire("one")
	got, place := b.drain(tenure, tenure.Position(), 10)
	require.Equal(t, []string{"now"}, got)
	b.insert(b.pool, "a", "again")
	got, _ = b.drain(tenure, place, 10)
	require.Equal(t, []string{"again"}, got)
}

// A transaction can have its number long before it draws an id.
func TestEarlyTransactionNumber(t *testing.T) {
	b := setup(t)
	early := b.begin()
	_, err := early.Exec(b.ctx, `SELECT pg_current_xact_id()`)
	require.NoError(t, err)
	b.insert(b.pool, "a", "first")
	tenure := b.acquire("one")
	got, place := b.drain(tenure, tenure.Position(), 10)
	require.Equal(t, []string{"first"}, got)

	b.insert(early, "a", "second")
	b.insert(b.pool, "b", "third")
	require.NoError(t, early.Commit(b.ctx))
	got, _ = b.drain(tenure, place, 10)
	require.Equal(t, []string{"second", "third"}, got, "in the order of ids, not of transactions")
}

func TestRolledBackRowsAreNeverRead(t *testing.T) {
	b := setup(t)
	tx := b.begin()
	b.insert(tx, "a", "kept")
	inner, err := tx.Begin(b.ctx)
	require.NoError(t, err)
	b.insert(inner, "a", "savepoint undone")
	require.NoError(t, inner.Rollback(b.ctx))
	inner, err = tx.Begin(b.ctx)
	require.NoError(t, err)
	b.insert(inner, "a", "savepoint kept")
	require.NoError(t, inner.Commit(b.ctx))
	undone := b.begin()
	b.insert(undone, "a", "undone")
	require.NoError(t, undone.Rollback(b.ctx))

	tenure := b.acquire("one")
	got, place := b.drain(tenure, tenure.Position(), 10)
	require.Empty(t, got)
	require.NoError(t, tx.Commit(b.ctx))
	got, _ = b.drain(tenure, place, 10)
	require.Equal(t, []string{"kept", "savepoint kept"}, got)
}

// The rows of a long transaction lie among many that are published already: the
// index on xact finds them, and gives the same as the walk along the ids would.
func TestSparseWindow(t *testing.T) {
	b := setup(t)
	long := b.begin()
	tenure := b.acquire("one")
	place := tenure.Position()
	var want []string
	for _, name := range numbered("long", 3) {
		b.insert(long, "l", name)
		want = append(want, name)
		_, err := b.pool.Exec(b.ctx, `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
			SELECT 'test', 'bulk', 'bulk', '', 'q', '1' FROM generate_series(1, 6000)`)
		require.NoError(t, err)
	}
	var bulk []string
	bulk, place = b.drain(tenure, place, 1000)
	require.Len(t, bulk, 18000)
	require.NoError(t, long.Commit(b.ctx))
	b.insert(b.pool, "l", "after")
	page, err := tenure.Read(b.ctx, place, 2)
	require.NoError(t, err)
	require.True(t, tenure.window.sparse)
	got := []string{page.Records[0].Type, page.Records[1].Type}
	require.Equal(t, want[:2], got)
	got, _ = b.drain(tenure, page.End(), 2)
	require.Equal(t, []string{want[2], "after"}, got)
}

func TestLargeMessagesEndAPageEarly(t *testing.T) {
	b := setup(t)
	_, err := b.pool.Exec(b.ctx, `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		SELECT 'test', 'k', 'm', '', 'q', to_jsonb(repeat('x', (1 << 20) - 2)) FROM generate_series(1, 12)`)
	require.NoError(t, err)
	tenure := b.acquire("one")
	page, err := tenure.Read(b.ctx, tenure.Position(), 100)
	require.NoError(t, err)
	require.Len(t, page.Records, 8)
	require.Equal(t, 8, tenure.ask, "the next page would bring more than it keeps")
	rest, from := b.drain(tenure, page.End(), 100)
	require.Len(t, rest, 4)

	for _, name := range numbered("small", 100) {
		b.insert(b.pool, "k", name)
	}
	rest, _ = b.drain(tenure, from, 100)
	require.Equal(t, numbered("small", 100), rest)
	require.Greater(t, tenure.ask, 16, "small messages are asked for in numbers again")
}

// A page that failed may have been too much for the time there was.
func TestAPageThatFailedIsAskedForInPieces(t *testing.T) {
	b := setup(t)
	want := numbered("m", 10)
	for _, name := range want {
		b.insert(b.pool, "k", name)
	}
	tenure := b.acquire("one")
	page, err := tenure.Read(b.ctx, tenure.Position(), 2) // opens the window
	require.NoError(t, err)
	over, cancel := context.WithCancel(b.ctx)
	cancel()
	for _, ask := range []int{32, 16, 8, 4, 2, 1, 1} {
		_, err = tenure.Read(over, page.End(), 100)
		require.Error(t, err)
		require.Equal(t, ask, tenure.ask)
	}
	rest, _ := b.drain(tenure, page.End(), 100)
	require.Equal(t, want[2:], rest)
}
