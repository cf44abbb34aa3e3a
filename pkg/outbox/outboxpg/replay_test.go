package outboxpg

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func unheard(ReplayCount) {}

// countAsPublished moves the position behind all that is in the log.
func (b *bundle) countAsPublished() {
	b.Helper()
	b.change(`SELECT public.outbox_rebase()`) // into service
	b.change(`UPDATE public.outbox_position SET settled = pg_current_snapshot()`)
}

// The log of the test: ten published rows, an hour between each and the next, of which
// some are parked, and a pending one.
func replayable(t *testing.T) *bundle {
	b := setup(t)
	b.change(`INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload, created_at)
		SELECT 'test', 'k' || n % 2, 't' || n % 5, CASE WHEN n > 5 THEN 'events' ELSE '' END, 'q', '1',
		       now() - make_interval(hours => 11 - n)
		FROM generate_series(1, 10) AS n`)
	b.change(`INSERT INTO public.outbox_parked (id, aggregate_id, exchange, routing_key, state, reason, error, attempts, note, parked_at)
		VALUES (3, 'k1', '', 'q', 'dead', 'nacked', 'no', 9, NULL, now() - interval '1 day'),
		       (4, 'k0', '', 'q', 'discarded', 'nacked', 'no', 9, 'gone', now() - interval '1 day')`)
	b.countAsPublished()
	b.insert(b.pool, "k1", "pending")
	return b
}

func TestReplayFilters(t *testing.T) {
	b := replayable(t)
	third := value[time.Time](b, `SELECT created_at FROM public.outbox WHERE id = 3`)
	for name, c := range map[string]struct {
		filter ReplayFilter
		want   ReplayCount
	}{
		"all":       {ReplayFilter{}, ReplayCount{Found: 8, Pending: 1, Parked: 1, Discarded: 1}},
		"discarded": {ReplayFilter{Discarded: true}, ReplayCount{Found: 9, Pending: 1, Parked: 1}},
		"ids":       {ReplayFilter{From: ReplayBound{ID: 2}, To: ReplayBound{ID: 5}}, ReplayCount{Found: 2, Parked: 1, Discarded: 1}},
		"times":     {ReplayFilter{From: ReplayBound{Time: third}, To: ReplayBound{Time: third.Add(3 * time.Hour)}}, ReplayCount{Found: 2, Parked: 1, Discarded: 1}},
		"ages": {
			ReplayFilter{From: ReplayBound{Age: 150 * time.Minute}, To: ReplayBound{Age: 30 * time.Minute}},
			ReplayCount{Found: 2},
		},
		"key":      {ReplayFilter{AggregateID: new("k1")}, ReplayCount{Found: 4, Pending: 1, Parked: 1}},
		"type":     {ReplayFilter{Type: new("t0")}, ReplayCount{Found: 2}},
		"exchange": {ReplayFilter{Exchange: new("events")}, ReplayCount{Found: 5}},
		"none":     {ReplayFilter{Type: new("x")}, ReplayCount{}},
	} {
		got, err := b.log.CountReplay(b.ctx, c.filter, unheard)
		require.NoError(t, err, name)
		require.Equal(t, c.want.Found > 0, got.Oldest != nil && got.Newest != nil, name)
		got.Oldest, got.Newest, got.LastID = nil, nil, 0
		require.Equal(t, c.want, got, name)
	}
	count, err := b.log.CountReplay(b.ctx, ReplayFilter{From: ReplayBound{ID: 3}}, unheard)
	require.NoError(t, err)
	require.WithinDuration(t, third.Add(2*time.Hour), *count.Oldest, time.Minute, "of those found: row 5")
	require.WithinDuration(t, third.Add(7*time.Hour), *count.Newest, time.Minute)
	require.Len(t, b.parkedStates(), 2, "counting changes nothing")
}

func TestReplayPublishesOnceMore(t *testing.T) {
	b := replayable(t)
	version := value[int64](b, `SELECT parked_version FROM public.outbox_position`)
	count, err := b.log.Replay(b.ctx, ReplayFilter{To: ReplayBound{ID: 5}}, "again", unheard)
	require.NoError(t, err)
	require.EqualValues(t, 3, count.Replayed)
	require.Equal(t, []string{"scheduled", "scheduled", "dead", "discarded", "scheduled"}, b.parkedStates())
	require.Equal(t, []int64{1, 2, 5}, value[[]int64](b, `
		SELECT array_agg(id ORDER BY next_at, id) FROM public.outbox_parked
		WHERE state = 'scheduled' AND next_at <= clock_timestamp() AND note = 'again'`))
	require.Greater(t, value[int64](b, `SELECT parked_version FROM public.outbox_position`), version, "relays have to hear of it")

	count, err = b.log.Replay(b.ctx, ReplayFilter{To: ReplayBound{ID: 5}, Discarded: true}, "", unheard)
	require.NoError(t, err)
	require.Equal(t, ReplayCount{
		Found: 1, Oldest: count.Oldest, Newest: count.Newest, Parked: 4, Replayed: 1, LastID: 5,
	}, count)
	require.True(t, value[bool](b, `SELECT attempts = 0 AND reason IS NULL AND error IS NULL AND note IS NULL
		AND parked_at > clock_timestamp() - interval '1 minute' FROM public.outbox_parked WHERE id = 4`), "it begins anew")
}

func TestReplayGoesInBatchesAndInOrder(t *testing.T) {
	b := setup(t)
	const many = 2*sliceIDs + 100
	insert := func(n int) {
		b.change(`INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
			SELECT 'test', 'k' || n % 7, 't', '', 'q', '1' FROM generate_series(1, $1::integer) AS n`, n)
	}
	insert(many)
	b.countAsPublished()
	var steps []int64
	count, err := b.log.Replay(b.ctx, ReplayFilter{Type: new("t")}, "", func(c ReplayCount) {
		steps = append(steps, c.Replayed)
		if len(steps) == 1 {
			insert(10) // published while it runs
			b.countAsPublished()
			b.change(`DELETE FROM public.outbox WHERE id > $1 AND id <= $2`, many-10, many) // dropped while it runs
		}
	})
	require.NoError(t, err)
	require.Equal(t, []int64{sliceIDs, 2 * sliceIDs, many - 10}, steps)
	require.EqualValues(t, many-10, count.Replayed)
	require.True(t, value[bool](b, `
		SELECT bool_and(id = place AND id <= $1) FROM (
		    SELECT id, row_number() OVER (ORDER BY next_at, id) AS place FROM public.outbox_parked) AS p`, many))
}

// What the relay is about to publish at that moment is no matter of a replay.
func TestReplayLeavesAloneWhatIsNotPublishedAnyMore(t *testing.T) {
	b := replayable(t)
	require.EqualValues(t, 2, value[int64](b, `SELECT public.outbox_replay(ARRAY[1, 2, 3, 11, 99])`))
	require.EqualValues(t, 0, value[int64](b, `SELECT public.outbox_replay(ARRAY[1, 2, 3, 11, 99])`))
}
