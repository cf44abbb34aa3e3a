package outboxpg

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// brought is an insert of a row that brings the number of a transaction along.
const brought = `INSERT INTO public.outbox (xact, aggregate_type, aggregate_id, type, exchange, routing_key, payload)
	VALUES (%s, 'test', 'k', '%s', '', 'queue', '{}')`

// numbers are some that are not the inserting transaction's own.
var numbers = map[string]string{
	"none":      `'0'`,
	"oldest":    `'3'`,
	"past":      `(pg_current_xact_id()::text::bigint - 100)::text::xid8`,
	"future":    `(pg_current_xact_id()::text::bigint + 100000)::text::xid8`,
	"last":      `'18446744073709551615'`,
	"its own":   `pg_current_xact_id()`,
	"a default": `DEFAULT`,
}

// The relay finds rows by the inserting transaction: whoever gives another number, the row
// is found, and shown as published only then.
func TestEveryRowIsFoundWhateverNumberItBrings(t *testing.T) {
	for way, around := range map[string]string{
		"plain":        `%s`,
		"as a replica": `SET LOCAL session_replication_role = replica; %s`,
		"in a savepoint, with a setting": `SET LOCAL default_transaction_isolation = 'serializable';
			SAVEPOINT a; %s; RELEASE SAVEPOINT a`,
	} {
		t.Run(way, func(t *testing.T) {
			b := setup(t)
			tenure := b.acquire("one")
			b.insert(b.pool, "k", "before")
			_, from := b.drain(tenure, tenure.Position(), 10)
			b.save(tenure, Progress{Position: from})
			for name, number := range numbers {
				b.change(`BEGIN; ` + fmt.Sprintf(around, fmt.Sprintf(brought, number, name)) + `; COMMIT`)
				require.Equal(t, "pending", value[string](b, `SELECT state FROM public.outbox_overview WHERE type = $1`, name), name)
				var got []string
				got, from = b.drain(tenure, from, 10)
				require.Equal(t, []string{name}, got)
				b.save(tenure, Progress{Position: from})
				require.Equal(t, "published", value[string](b, `SELECT state FROM public.outbox_overview WHERE type = $1`, name), name)
			}
		})
	}
}

// Rows that are copied back into a log in service are other messages to it, under ids of
// their own too. The sequence follows them.
func TestCopiedRowsArePublishedAgain(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	for _, name := range numbered("m", 3) {
		b.insert(b.pool, "k", name)
	}
	_, from := b.drain(tenure, tenure.Position(), 10)
	b.save(tenure, Progress{Position: from})
	b.change(`CREATE TABLE copied AS SELECT * FROM public.outbox; DELETE FROM public.outbox;
		UPDATE copied SET id = id + 1000000`)
	b.change(`INSERT INTO public.outbox OVERRIDING SYSTEM VALUE TABLE copied`)
	got, from := b.drain(tenure, from, 10)
	require.Equal(t, numbered("m", 3), got)

	require.EqualValues(t, 1_000_000, value[int64](b, `SELECT public.outbox_sequence_mend()`))
	require.Zero(t, value[int64](b, `SELECT public.outbox_sequence_mend()`))
	b.insert(b.pool, "k", "later")
	got, _ = b.drain(tenure, from, 10)
	require.Equal(t, []string{"later"}, got)
}

// COPY takes the ids that it is given. The sequence follows those that it would draw, and is
// not brought to its end by one that it never gets to.
func TestCopiedIDsDoNotStopAppends(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	names := numbered("copied", 3)
	rows := make([][]any, len(names))
	for i, name := range names {
		id := []int64{1, 2_000_000, 4_000_000_000_000_000_000}[i]
		rows[i] = []any{id, "test", "k", name, "", "queue", "{}"}
	}
	_, err := b.pool.CopyFrom(b.ctx, pgx.Identifier{"public", "outbox"},
		[]string{"id", "aggregate_type", "aggregate_id", "type", "exchange", "routing_key", "payload"}, pgx.CopyFromRows(rows))
	require.NoError(t, err)
	_, err = b.pool.Exec(b.ctx, fmt.Sprintf(brought, `DEFAULT`, "own"))
	require.ErrorContains(t, err, "_pkey")
	require.EqualValues(t, 1_999_999, value[int64](b, `SELECT public.outbox_sequence_mend()`), "one id was drawn in vain")
	b.insert(b.pool, "k", "own")
	b.change(`SELECT public.outbox_partitions_ahead(1000000, 4, '1 min')`)
	b.insert(b.pool, "k", "own, in a later partition")
	require.Less(t, value[int64](b, `SELECT max(last_id) FROM public.outbox_partitions`), int64(1_000_000_000_000_000))
	got, _ := b.drain(tenure, tenure.Position(), 10)
	require.ElementsMatch(t, append(names, "own", "own, in a later partition"), got)
}

// A number that no transaction ever has makes a log that is not in service no more than
// foreign.
func TestANumberBeyondAllIsMadeWhole(t *testing.T) {
	b := setup(t)
	b.change(fmt.Sprintf(brought, `'18446744073709551615'`, "last"))
	_, err := b.log.Acquire(b.ctx, 0, "one", time.Minute)
	require.ErrorIs(t, err, ErrForeign)
	pending, err := b.log.Rebase(b.ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, pending)
	tenure := b.acquire("one")
	got, _ := b.drain(tenure, tenure.Position(), 10)
	require.Equal(t, []string{"last"}, got)
}

// What no trigger has seen is refused, with the name of the constraint.
func TestWithoutTriggersNothingGetsIn(t *testing.T) {
	b := setup(t)
	b.acquire("one")
	b.change(`ALTER TABLE public.outbox DISABLE TRIGGER ALL`)
	for name, number := range numbers {
		_, err := b.pool.Exec(b.ctx, fmt.Sprintf(brought, number, name))
		if name == "its own" {
			require.NoError(t, err)
			continue
		}
		var pg *pgconn.PgError
		require.ErrorAs(t, err, &pg, name)
		require.Equal(t, []string{"23514", "outbox_xact_is_stamped"}, []string{pg.Code, pg.ConstraintName}, name)
	}
	_, err := b.pool.Exec(b.ctx, `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload, created_at)
		VALUES ('test', 'k', 'x', '', 'queue', '{}', 'infinity')`)
	require.ErrorContains(t, err, "outbox_xact_is_stamped")
}

// Before a relay has served the log, a copy keeps its numbers, as that of a dump does; and
// who keeps them while a relay takes its first lease is waited for.
func TestALogThatIsNotServedKeepsNumbers(t *testing.T) {
	b := setup(t)
	b.change(fmt.Sprintf(brought, `'7'`, "old"))
	require.Equal(t, "7", value[string](b, `SELECT xact::text FROM public.outbox`))
	require.Equal(t, "pending", value[string](b, `SELECT state FROM public.outbox_overview`))

	late := b.begin()
	_, err := late.Exec(b.ctx, fmt.Sprintf(brought, `'8'`, "late"))
	require.NoError(t, err)
	plain := b.begin()
	b.insert(plain, "k", "plain")
	served := make(chan *Tenure)
	go func() { served <- b.acquire("one") }()
	b.eventually(`SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`)
	require.NoError(t, late.Commit(b.ctx))
	tenure := <-served
	got, from := b.drain(tenure, tenure.Position(), 10)
	require.Equal(t, []string{"old", "late"}, got)
	require.NoError(t, plain.Commit(b.ctx), "an ordinary writer is not waited for")
	b.change(fmt.Sprintf(brought, `'7'`, "new"))
	got, _ = b.drain(tenure, from, 10)
	require.Equal(t, []string{"plain", "new"}, got)
}

// A snapshot of before the first lease does not see that the log is served.
func TestAnOldSnapshotKeepsNoNumber(t *testing.T) {
	b := setup(t)
	old := b.begin()
	_, err := old.Exec(b.ctx, `SET TRANSACTION ISOLATION LEVEL REPEATABLE READ`)
	require.NoError(t, err)
	_, err = old.Exec(b.ctx, `SELECT 1`)
	require.NoError(t, err)
	tenure := b.acquire("one")
	_, from := b.drain(tenure, tenure.Position(), 10)
	_, err = old.Exec(b.ctx, fmt.Sprintf(brought, `'7'`, "late"))
	require.NoError(t, err)
	require.NoError(t, old.Commit(b.ctx))
	got, _ := b.drain(tenure, from, 10)
	require.Equal(t, []string{"late"}, got)
}

// A row can be mended in place, where it is parked for what it holds: it keeps its number.
func TestARowThatIsChangedKeepsItsNumber(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	b.insert(b.pool, "k", "m")
	number := value[string](b, `SELECT xact::text FROM public.outbox`)
	b.change(`UPDATE public.outbox SET routing_key = 'other'`)
	require.Equal(t, number, value[string](b, `SELECT xact::text FROM public.outbox`))
	_, err := b.pool.Exec(b.ctx, `UPDATE public.outbox SET xact = '7'`)
	require.ErrorContains(t, err, "outbox_xact_is_stamped")
	got, _ := b.drain(tenure, tenure.Position(), 10)
	require.Equal(t, []string{"m"}, got)
}

func (b *bundle) eventually(sql string) {
	b.Helper()
	require.Eventually(b, func() bool {
		var yes bool
		return b.pool.QueryRow(b.ctx, sql).Scan(&yes) == nil && yes
	}, 20*time.Second, 10*time.Millisecond, sql)
}
