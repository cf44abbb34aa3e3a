package outboxpg

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func (b *bundle) refusesTruncate(table string) {
	b.Helper()
	_, err := b.pool.Exec(b.ctx, `TRUNCATE `+table+` RESTART IDENTITY`)
	var pg *pgconn.PgError
	require.ErrorAs(b, err, &pg, table)
	require.Equal(b, "55000", pg.Code, pg.Message)
	require.Contains(b, pg.Hint, "relay parked")
}

// TRUNCATE takes no message that is neither published nor discarded, and leaves nothing
// behind that a new row of the same id could be taken for.
func TestTruncate(t *testing.T) {
	b := setup(t)
	b.insert(b.pool, "k", "pending")
	b.refusesTruncate("public.outbox")
	tenure := b.acquire("one")
	b.refusesTruncate("public.outbox_p1")
	page, err := tenure.Read(b.ctx, tenure.Position(), 10)
	require.NoError(t, err)
	b.save(tenure, Progress{Position: page.End(), Parked: []Parking{deadOf(page.Records[0])}, Touched: []string{"k"}})
	b.refusesTruncate("public.outbox")
	_, err = b.log.DiscardParked(b.ctx, ParkedFilter{}, "a test", quiet)
	require.NoError(t, err)
	_, err = b.pool.Exec(b.ctx, `BEGIN ISOLATION LEVEL REPEATABLE READ; TRUNCATE public.outbox; COMMIT`)
	require.ErrorContains(t, err, "want read committed")
	version := value[int64](b, `SELECT parked_version FROM public.outbox_position`)
	b.change(`TRUNCATE public.outbox RESTART IDENTITY`)
	require.Greater(t, value[int64](b, `SELECT parked_version FROM public.outbox_position`), version, "the relay hears of it")

	b.insert(b.pool, "k", "new")
	require.EqualValues(t, 1, value[int64](b, `SELECT id FROM public.outbox`))
	require.Equal(t, "pending", value[string](b, `SELECT state FROM public.outbox_overview`))
	got, _ := b.drain(tenure, page.End(), 10)
	require.Equal(t, []string{"new"}, got)
	require.Zero(t, value[int64](b, `SELECT count(*) FROM public.outbox_parked`))
}

// Partitions that are made later refuse it as well, and a service's outbox that no relay
// has tables in.
func TestTruncateOfEachPart(t *testing.T) {
	b := setup(t)
	b.acquire("one")
	require.Positive(t, b.ahead(1000, 5))
	b.insert(b.pool, "k", "pending")
	for _, part := range append(value[[]string](b, `SELECT array_agg(partition::text) FROM public.outbox_partitions`), "outbox_default") {
		b.refusesTruncate(part)
	}
	b.change(`SET session_replication_role = replica`)
	b.refusesTruncate("public.outbox")
}

// What is known of a row is nothing to another one that has its id by now: where triggers
// were disabled, for example.
func TestAnIdThatIsGivenTwice(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	rows := b.fill(tenure, "a", "b", "c", "d")
	for i, parked := range []Parking{retryOf(rows[0], 3), deadOf(rows[1]), waitOf(rows[2]), deadOf(rows[3])} {
		parked.Delay = 0
		parked.Record = rows[i]
		b.parks(tenure, parked)
	}
	b.change(`UPDATE public.outbox_parked SET state = 'discarded', note = 'a test' WHERE id = 4`)
	b.change(`DROP FUNCTION public.outbox_truncate() CASCADE; TRUNCATE public.outbox RESTART IDENTITY`)
	_, from := b.drain(tenure, tenure.Position(), 10)
	b.save(tenure, Progress{Position: from})

	for _, name := range numbered("new", 4) {
		b.insert(b.pool, name, name)
	}
	require.Equal(t, []string{"pending", "pending", "pending", "pending"}, b.states())
	require.Empty(t, b.dueNow(tenure, 10), "the message that was to be tried is gone")
	page, err := tenure.Read(b.ctx, from, 10)
	require.NoError(t, err)
	require.Len(t, page.Records, 4)
	b.save(tenure, Progress{Position: page.After(2), Parked: []Parking{retryOf(page.Records[1], 1), waitOf(page.Records[2])}, Touched: []string{"new1", "new2"}})
	require.Equal(t, []string{"published", "retry", "retry", "pending"}, b.states(), "nothing is before the one that waited")
	require.Equal(t, int32(1), value[int32](b, `SELECT attempts FROM public.outbox_parked WHERE id = 2`), "counted from the beginning")
	b.save(tenure, Progress{Position: page.End()})
	require.Equal(t, []string{"published", "retry", "retry", "published"}, b.states())
	_, err = b.log.ParkedDetail(b.ctx, 1, false)
	require.NoError(t, err, "what is left of the old one can be seen, and discarded")
}

// states are those of the messages in the order of their ids.
func (b *bundle) states() []string {
	b.Helper()
	return value[[]string](b, `SELECT array_agg(state ORDER BY id) FROM public.outbox_overview`)
}
