package outboxpg

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/outbox"
)

// parks saves that the records are set aside, as a relay does.
func (b *bundle) parks(t *Tenure, parked ...Parking) Saved {
	b.Helper()
	p := Progress{Position: t.Position(), Parked: parked}
	for _, one := range parked {
		if key := one.Record.AggregateID; !slices.Contains(p.Touched, key) {
			p.Touched = append(p.Touched, key)
		}
	}
	return b.save(t, p)
}

// unparks saves that the broker has confirmed parked messages of an aggregate.
func (b *bundle) unparks(t *Tenure, key string, ids ...int64) Saved {
	b.Helper()
	rows, err := b.pool.Query(b.ctx, `SELECT event_id, id FROM outbox_parked WHERE id = ANY ($1)`, ids)
	require.NoError(b, err)
	records, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*outbox.Record, error) {
		r := new(outbox.Record)
		return r, row.Scan((*[16]byte)(&r.ID), &r.Position)
	})
	require.NoError(b, err)
	return b.save(t, Progress{Position: t.Position(), Unparked: records, Touched: []string{key}})
}

// fill writes rows of the aggregates, in this order, and returns them.
func (b *bundle) fill(t *Tenure, keys ...string) []*outbox.Record {
	b.Helper()
	for i, key := range keys {
		b.insert(b.pool, key, fmt.Sprint("m", i+1))
	}
	page, err := t.Read(b.ctx, t.Position(), len(keys))
	require.NoError(b, err)
	require.Len(b, page.Records, len(keys))
	return page.Records
}

func retryOf(r *outbox.Record, attempts int) Parking {
	return Parking{Record: r, State: Retry, Reason: "unroutable", Error: "no queue", Attempts: attempts, Delay: time.Hour}
}

func waitOf(r *outbox.Record) Parking { return Parking{Record: r, State: Waiting} }

func deadOf(r *outbox.Record) Parking {
	return Parking{Record: r, State: Dead, Reason: "invalid", Error: "no", Attempts: 1}
}

// dueNow are the ids of what is due, in order.
func (b *bundle) dueNow(t *Tenure, heads int, inWork ...int64) (ids []int64) {
	b.Helper()
	found, err := t.Due(b.ctx, heads, append([]int64{}, inWork...))
	require.NoError(b, err)
	for _, d := range found {
		ids = append(ids, d.Record.Position)
	}
	return ids
}

// timeComes makes retries and scheduled messages due, the lower ids first.
func (b *bundle) timeComes() {
	b.Helper()
	b.change(`UPDATE public.outbox_parked SET next_at = clock_timestamp() - interval '1 hour' + id * interval '1 second' WHERE next_at IS NOT NULL`)
}

func TestParkedMessagesOfAnAggregateGoOneAfterTheOther(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	rows := b.fill(tenure, "a", "a", "a", "b")
	saved := b.parks(tenure, retryOf(rows[0], 1), waitOf(rows[1]), waitOf(rows[2]))
	require.Equal(t, []string{"a"}, saved.Blocked)
	keys, err := tenure.Blocked(b.ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, keys)
	require.Empty(t, b.dueNow(tenure, 10))
	wait, some, _, err := tenure.NextDue(b.ctx, []int64{})
	require.NoError(t, err)
	require.True(t, some)
	require.InDelta(t, time.Hour, wait, float64(time.Minute))

	b.timeComes()
	require.Equal(t, []int64{1, 2, 3}, b.dueNow(tenure, 10))
	require.Equal(t, []string{"a"}, b.unparks(tenure, "a", 1).Blocked)
	require.Equal(t, []string{"retry", "waiting"}, b.parkedStates(), "the next one's turn has come")
	require.Equal(t, []int64{2, 3}, b.dueNow(tenure, 10))
	require.Empty(t, b.unparks(tenure, "a", 2, 3).Blocked)
	keys, err = tenure.Blocked(b.ctx)
	require.NoError(t, err)
	require.Empty(t, keys)
}

func TestDueGivesBackWhatWasParked(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	row := b.fill(tenure, "a")[0]
	b.parks(tenure, retryOf(row, 3))
	b.timeComes()
	b.change(`UPDATE public.outbox_parked SET parked_at = clock_timestamp() - interval '1 minute'`)
	found, err := tenure.Due(b.ctx, 1, []int64{})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.InDelta(t, time.Minute, found[0].Age, float64(10*time.Second))
	require.Equal(t, Due{Record: row, State: Retry, Reason: "unroutable", Attempts: 3, Age: found[0].Age}, found[0])
}

func TestDueHasItsLimits(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	rows := b.fill(tenure, "a", "a", "b", "c")
	b.parks(tenure, retryOf(rows[0], 1), waitOf(rows[1]), retryOf(rows[2], 1), retryOf(rows[3], 1))
	b.timeComes()
	require.Equal(t, []int64{1, 2, 3}, b.dueNow(tenure, 2), "two, and who follows them")
	require.Equal(t, []int64{3, 4}, b.dueNow(tenure, 2, 1), "what is in work is left out")
	wait, some, _, err := tenure.NextDue(b.ctx, []int64{1, 3, 4})
	require.NoError(t, err)
	require.False(t, some, "in %v", wait)
}

// What waits for another one does not follow the first.
func TestDueEndsAtAMessageThatIsInTheWay(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	rows := b.fill(tenure, "a", "a", "a", "a", "a")
	b.parks(tenure, retryOf(rows[0], 1), waitOf(rows[1]), deadOf(rows[2]), waitOf(rows[3]), waitOf(rows[4]))
	b.timeComes()
	require.Equal(t, []int64{1, 2}, b.dueNow(tenure, 10))
	require.Equal(t, []int64{1}, b.dueNow(tenure, 10, 2), "in work, as something else")
	b.unparks(tenure, "a", 1, 2)
	require.Equal(t, []string{"dead", "waiting", "waiting"}, b.parkedStates())
	require.Empty(t, b.dueNow(tenure, 10))
}

func TestScheduledStandInNobodysWay(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	rows := b.fill(tenure, "a", "a")
	rows[0].DeliverAt = time.Now().Add(time.Hour)
	saved := b.parks(tenure, Parking{Record: rows[0], State: Scheduled})
	require.Empty(t, saved.Blocked)
	wait, some, _, err := tenure.NextDue(b.ctx, []int64{})
	require.NoError(t, err)
	require.True(t, some)
	require.InDelta(t, time.Hour, wait, float64(time.Minute))
	b.parks(tenure, waitOf(rows[1]))
	require.Equal(t, []string{"scheduled", "retry"}, b.parkedStates(), "nothing is before the second one")
	b.timeComes()
	require.Equal(t, []int64{1, 2}, b.dueNow(tenure, 10), "the second one does not come as the first one's follower, too")
}

func TestWhatAnOperatorDiscardedStaysSo(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	rows := b.fill(tenure, "a", "a")
	before := b.parks(tenure, retryOf(rows[0], 1), waitOf(rows[1]))
	b.change(`SELECT public.outbox_parked_discard('{1}', 'a test')`)
	after := b.parks(tenure, retryOf(rows[0], 2)) // it was in flight
	require.Greater(t, after.ParkedVersion, before.ParkedVersion, "the relay hears of it")
	require.Equal(t, []string{"discarded", "retry"}, b.parkedStates())
	require.Equal(t, []int64{2}, b.dueNow(tenure, 10))
	b.unparks(tenure, "a", 1) // it was confirmed after all
	require.Equal(t, []string{"retry"}, b.parkedStates())
}

// A message that waited for long has all of its time to be tried still before it.
func TestItsTimeBeginsWithTheFirstFailure(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	row := b.fill(tenure, "a")[0]
	age := func() time.Duration {
		return time.Duration(value[float64](b, `SELECT extract(epoch FROM clock_timestamp() - parked_at)::float8 FROM public.outbox_parked`) * float64(time.Second))
	}
	b.parks(tenure, waitOf(row))
	b.change(`UPDATE public.outbox_parked SET parked_at = clock_timestamp() - interval '2 days'`)
	b.parks(tenure, retryOf(row, 1))
	require.Less(t, age(), time.Hour)
	b.change(`UPDATE public.outbox_parked SET parked_at = clock_timestamp() - interval '2 hours'`)
	b.parks(tenure, retryOf(row, 2))
	require.Greater(t, age(), time.Hour)
}

func TestADestinationThatTakesAgainMakesTheOthersDue(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	rows := b.fill(tenure, "a", "b", "c", "d")
	rows[2].RoutingKey = "elsewhere"
	b.parks(tenure, retryOf(rows[0], 1), retryOf(rows[1], 1), retryOf(rows[2], 1), deadOf(rows[3]))
	b.save(tenure, Progress{
		Position: tenure.Position(), Unparked: rows[:1], Touched: []string{"a"},
		Recovered: []Destination{{RoutingKey: "queue"}},
	})
	require.Equal(t, []int64{2}, b.dueNow(tenure, 10), "to the same destination, and not dead")
}

// A million messages cannot be made due within a lease: a part of them is, and each of
// these brings the next.
func TestADestinationThatTakesAgainDoesNotHoldUpTheSave(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	b.change(`INSERT INTO public.outbox_parked (id, aggregate_id, exchange, routing_key, state, reason, attempts, next_at)
		SELECT n, 'k' || n, '', 'queue', 'retry', 'unroutable', 1, clock_timestamp() + interval '1 hour' FROM generate_series(1, 3000) AS n`)
	due := `SELECT count(*) FROM public.outbox_parked WHERE next_at <= clock_timestamp()`
	recovered := Progress{Position: tenure.Position(), Touched: []string{"a"}, Recovered: []Destination{{RoutingKey: "queue"}}}
	b.save(tenure, recovered)
	some := value[int64](b, due)
	require.Positive(t, some)
	require.Less(t, some, int64(3000))
	for range 3000 / some {
		b.save(tenure, recovered)
	}
	require.EqualValues(t, 3000, value[int64](b, due))
}

func TestALostTenureParksNothing(t *testing.T) {
	b := setup(t)
	zombie := b.acquire("zombie")
	rows := b.fill(zombie, "a", "b", "b")
	b.parks(zombie, retryOf(rows[1], 1), waitOf(rows[2]))
	b.change(`UPDATE public.outbox_position SET lease_until = clock_timestamp() - interval '1 s'`)
	b.acquire("next")
	late := Progress{
		Position: zombie.Position(), Parked: []Parking{deadOf(rows[0])}, Unparked: rows[1:2], Touched: []string{"a", "b"},
		Recovered: []Destination{{RoutingKey: "queue"}},
	}
	b.isLost(zombie, late)
	require.ErrorIs(t, zombie.Release(b.ctx, late), ErrLost)
	require.Equal(t, []string{"retry", "waiting"}, b.parkedStates())
	_, err := b.pool.Exec(b.ctx, `SELECT 1 / (SELECT count(*) FROM public.outbox_parked WHERE next_at > clock_timestamp())`)
	require.NoError(t, err, "nothing was made due")
}

// Each shard's holder sees its own aggregates only.
func TestShardsShareTheParked(t *testing.T) {
	b := setup(t)
	_, err := b.log.Reshard(b.ctx, 3)
	require.NoError(t, err)
	all := map[string]int{}
	for shard := range 3 {
		tenure, err := b.log.Acquire(b.ctx, shard, "one", time.Minute)
		require.NoError(t, err)
		if shard == 0 {
			b.change(`INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
				SELECT 'test', 'k' || n, 'm', '', 'queue', '1' FROM generate_series(1, 30) AS n`)
			b.change(`INSERT INTO public.outbox_parked (id, aggregate_id, exchange, routing_key, state, reason, attempts, next_at)
				SELECT id, aggregate_id, '', 'queue', 'retry', 'nacked', 1, clock_timestamp() - interval '1 s' FROM public.outbox`)
		}
		keys, err := tenure.Blocked(b.ctx)
		require.NoError(t, err)
		found, err := tenure.Due(b.ctx, 100, []int64{})
		require.NoError(t, err)
		var due []string
		for _, d := range found {
			all[d.Record.AggregateID]++
			due = append(due, d.Record.AggregateID)
		}
		require.NotEmpty(t, due)
		require.ElementsMatch(t, keys, due)
		_, some, _, err := tenure.NextDue(b.ctx, value[[]int64](b, `SELECT array_agg(id) FROM public.outbox WHERE public.outbox_shard(aggregate_id, 3) = $1`, shard))
		require.NoError(t, err)
		require.False(t, some, "the others' are not this one's")
	}
	require.Len(t, all, 30)
	for key, times := range all {
		require.Equal(t, 1, times, key)
	}
}
