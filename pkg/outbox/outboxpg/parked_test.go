package outboxpg

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// parkedRows writes outbox rows and sets them aside, one in each state.
const parkedRows = `
WITH m (id, key, type, exchange, routing_key, state, reason, minutes) AS (VALUES
    (1, 'a', 'placed', 'events', 'r.a', 'dead',      'unroutable', 90),
    (2, 'a', 'paid',   'events', 'r.b', 'waiting',   NULL,         80),
    (3, 'a', 'paid',   'events', 'r.b', 'waiting',   NULL,         70),
    (4, 'b', 'placed', '',       'q',   'retry',     'nacked',     60),
    (5, 'c', 'placed', '',       'q',   'dead',      'invalid',    50),
    (6, 'd', 'billed', 'other',  '',    'scheduled', NULL,         40),
    (7, 'e', 'billed', 'other',  '',    'discarded', 'unroutable', 30)
), o AS (
    INSERT INTO public.outbox (id, aggregate_type, aggregate_id, type, exchange, routing_key, payload, headers, correlation_id)
    OVERRIDING SYSTEM VALUE
    SELECT id, 'test', key, type, exchange, routing_key, '{"name": "Ann"}', '{"h": "v"}', 'saga-1' FROM m
)
INSERT INTO public.outbox_parked (id, aggregate_id, exchange, routing_key, state, reason, error, attempts, parked_at, next_at, note)
SELECT id, key, exchange, routing_key, state, reason, 'it said ' || reason, CASE WHEN reason IS NULL THEN 0 ELSE 3 END,
       clock_timestamp() - make_interval(mins => minutes),
       CASE WHEN state IN ('retry', 'scheduled') THEN clock_timestamp() + interval '1 hour' END,
       CASE WHEN state = 'discarded' THEN 'gone' END
FROM m`

func (b *bundle) change(sql string, args ...any) {
	b.Helper()
	_, err := b.pool.Exec(b.ctx, sql, args...)
	require.NoError(b, err)
}

func value[T any](b *bundle, sql string, args ...any) T {
	b.Helper()
	rows, err := b.pool.Query(b.ctx, sql, args...)
	require.NoError(b, err)
	v, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
	require.NoError(b, err)
	return v
}

// parkedStates are the states of the parked messages in the order of their ids.
func (b *bundle) parkedStates() []string {
	b.Helper()
	return value[[]string](b, `SELECT array_agg(state ORDER BY id) FROM public.outbox_parked`)
}

func quiet(int64) {}

func ids(found []Parked) []int64 {
	var list []int64
	for _, p := range found {
		list = append(list, p.ID)
	}
	return list
}

func TestParkedFilters(t *testing.T) {
	b := setup(t)
	b.change(parkedRows)
	for name, c := range map[string]struct {
		filter ParkedFilter
		want   []int64
	}{
		"all but discarded": {ParkedFilter{}, []int64{6, 5, 4, 3, 2, 1}},
		"ids":               {ParkedFilter{IDs: []int64{2, 4, 7, 99}}, []int64{4, 2}},
		"states":            {ParkedFilter{States: []ParkState{Dead, Discarded}}, []int64{7, 5, 1}},
		"reasons":           {ParkedFilter{Reasons: []string{"nacked", "unroutable"}}, []int64{4, 1}},
		"key":               {ParkedFilter{AggregateID: new("a")}, []int64{3, 2, 1}},
		"type":              {ParkedFilter{Type: new("paid")}, []int64{3, 2}},
		"default exchange":  {ParkedFilter{Exchange: new("")}, []int64{5, 4}},
		"routing key":       {ParkedFilter{RoutingKey: new("r.b")}, []int64{3, 2}},
		"older than":        {ParkedFilter{OlderThan: 75 * time.Minute}, []int64{2, 1}},
		"all of them":       {ParkedFilter{AggregateID: new("a"), Type: new("placed"), Reasons: []string{"nacked"}}, nil},
	} {
		found, err := b.log.Parked(b.ctx, c.filter, 100)
		require.NoError(t, err, name)
		require.Equal(t, c.want, ids(found), name)
		counts, err := b.log.CountParked(b.ctx, c.filter)
		require.NoError(t, err, name)
		var sum int64
		for _, count := range counts {
			sum += count.Messages
		}
		require.EqualValues(t, len(c.want), sum, "%s: counted is what is listed", name)
	}
	newest, err := b.log.Parked(b.ctx, ParkedFilter{}, 2)
	require.NoError(t, err)
	require.Equal(t, []int64{6, 5}, ids(newest))
}

func TestParkedDetail(t *testing.T) {
	b := setup(t)
	b.change(parkedRows)
	dead, err := b.log.ParkedDetail(b.ctx, 1, false)
	require.NoError(t, err)
	require.Equal(t, Dead, dead.State)
	require.Equal(t, "it said unroutable", dead.Error)
	require.Equal(t, map[string]string{"h": "v"}, dead.Headers)
	require.EqualValues(t, 2, dead.Behind)
	require.Nil(t, dead.WaitsFor)
	require.Nil(t, dead.Payload)
	require.Equal(t, len(`{"name": "Ann"}`), dead.PayloadSize)

	waiting, err := b.log.ParkedDetail(b.ctx, 3, true)
	require.NoError(t, err)
	require.EqualValues(t, 1, *waiting.WaitsFor)
	require.Zero(t, waiting.Behind)
	require.JSONEq(t, `{"name": "Ann"}`, string(waiting.Payload))

	_, err = b.log.ParkedDetail(b.ctx, 99, false)
	require.ErrorIs(t, err, ErrNotParked)
}

func TestPayloadsOfEveryKindAreShown(t *testing.T) {
	b := setup(t)
	b.change(parkedRows)
	b.change(`UPDATE public.outbox SET payload = NULL, payload_bytes = '\xff00', content_type = 'application/x-bytes' WHERE id = 4`)
	b.change(`DELETE FROM public.outbox WHERE id = 5`) // somebody else's table
	for id, want := range map[int64]string{
		1: `{"payload": {"name": "Ann"}, "payloadSize": 15}`,
		4: `{"payload": "/wA=", "payloadSize": 2}`,
		5: `{"payload": null, "payloadSize": 0}`,
	} {
		detail, err := b.log.ParkedDetail(b.ctx, id, true)
		require.NoError(t, err)
		text, err := json.Marshal(detail)
		require.NoError(t, err)
		var shown struct {
			Payload     any `json:"payload"`
			PayloadSize int `json:"payloadSize"`
		}
		require.NoError(t, json.Unmarshal(text, &shown))
		got, err := json.Marshal(shown)
		require.NoError(t, err)
		require.JSONEq(t, want, string(got))
	}
}

func TestRetryMakesDueWhatCanGo(t *testing.T) {
	b := setup(t)
	b.change(parkedRows)
	version := value[int64](b, `SELECT parked_version FROM public.outbox_position`)
	changed, err := b.log.RetryParked(b.ctx, ParkedFilter{}, "fixed", quiet)
	require.NoError(t, err)
	require.EqualValues(t, 3, changed)
	require.Equal(t, []string{"retry", "waiting", "waiting", "retry", "retry", "scheduled", "discarded"}, b.parkedStates())
	require.Equal(t, []int64{1, 4, 5}, value[[]int64](b, `
		SELECT array_agg(id ORDER BY id) FROM public.outbox_parked
		WHERE next_at <= clock_timestamp() AND parked_at > clock_timestamp() - interval '1 minute' AND note = 'fixed'`))
	require.Greater(t, value[int64](b, `SELECT parked_version FROM public.outbox_position`), version, "relays have to hear of it")
	require.False(t, value[bool](b, `SELECT public.outbox_is_foreign()`))

	changed, err = b.log.RetryParked(b.ctx, ParkedFilter{States: []ParkState{Waiting}}, "", quiet)
	require.NoError(t, err)
	require.Zero(t, changed)
	_, err = b.log.RetryParked(b.ctx, ParkedFilter{}, "", quiet)
	require.NoError(t, err)
	require.Equal(t, "fixed", value[string](b, `SELECT note FROM public.outbox_parked WHERE id = 1`))
}

func TestDiscardLetsTheNextOneGo(t *testing.T) {
	b := setup(t)
	b.change(parkedRows)
	changed, err := b.log.DiscardParked(b.ctx, ParkedFilter{IDs: []int64{1, 7}}, "not needed", quiet)
	require.NoError(t, err)
	require.EqualValues(t, 1, changed)
	require.Equal(t, []string{"discarded", "retry", "waiting", "retry", "dead", "scheduled", "discarded"}, b.parkedStates())
	require.True(t, value[bool](b, `SELECT next_at <= clock_timestamp() FROM public.outbox_parked WHERE id = 2`))
	require.Equal(t, []string{"not needed", "gone"}, value[[]string](b,
		`SELECT array_agg(note ORDER BY id) FROM public.outbox_parked WHERE state = 'discarded'`))

	_, err = b.log.DiscardParked(b.ctx, ParkedFilter{}, "", quiet)
	require.ErrorContains(t, err, "note is empty")
}

// Many dead aggregates, and one with a long queue, in several transactions.
func TestManyAreChangedInBatches(t *testing.T) {
	b := setup(t)
	const many = 2*batchRows + 100
	b.change(`
		WITH o AS (
		    INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		    SELECT 'test', 'k', 't', '', 'q', '1' FROM generate_series(1, $1::integer) RETURNING id)
		INSERT INTO public.outbox_parked (id, aggregate_id, exchange, routing_key, state, reason)
		SELECT id, 'k', '', 'q', CASE WHEN id = 1 THEN 'dead' ELSE 'waiting' END, 'invalid' FROM o`, many)
	var steps []int64
	changed, err := b.log.DiscardParked(b.ctx, ParkedFilter{AggregateID: new("k")}, "all of them", func(n int64) {
		steps = append(steps, n)
		if n == many {
			return
		}
		require.Zero(t, value[int64](b, `SELECT count(*) FROM public.outbox_parked WHERE state = 'retry'`),
			"one in the middle could be published")
		if len(steps) == 1 { // parked while it runs
			b.change(`INSERT INTO public.outbox_parked (id, aggregate_id, exchange, routing_key, state)
				VALUES (20000, 'k', '', 'q', 'waiting')`)
		}
	})
	require.NoError(t, err)
	require.EqualValues(t, many, changed)
	require.Equal(t, []int64{batchRows, 2 * batchRows, many}, steps)
	require.Equal(t, []string{"20000 retry"}, value[[]string](b,
		`SELECT array_agg(id || ' ' || state) FROM public.outbox_parked WHERE state <> 'discarded'`))
}

// The relay publishes one of the messages while an operator changes them.
func TestWhatLeavesMeanwhileIsNotCounted(t *testing.T) {
	b := setup(t)
	b.change(parkedRows)
	relay := b.begin() // locks as Tenure.Save does
	_, err := relay.Exec(b.ctx, `UPDATE public.outbox_position SET updated_at = clock_timestamp()`)
	require.NoError(t, err)
	_, err = relay.Exec(b.ctx, `DELETE FROM public.outbox_parked WHERE id = 4`)
	require.NoError(t, err)
	type result struct {
		changed int64
		err     error
	}
	done := make(chan result, 1)
	go func() {
		changed, err := b.log.RetryParked(context.WithoutCancel(b.ctx), ParkedFilter{}, "", quiet)
		done <- result{changed, err}
	}()
	require.Eventually(t, func() bool {
		return value[bool](b, `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%outbox_parked_retry%')`)
	}, 20*time.Second, 5*time.Millisecond)
	// It waits for the position, and holds no message that the relay may want next.
	_, err = relay.Exec(b.ctx, `UPDATE public.outbox_parked SET attempts = attempts + 1`)
	require.NoError(t, err)
	require.NoError(t, relay.Commit(b.ctx))
	got := <-done
	require.NoError(t, got.err)
	require.EqualValues(t, 2, got.changed)
	require.Equal(t, []string{"retry", "waiting", "waiting", "retry", "scheduled", "discarded"}, b.parkedStates())
}

func TestParkedTablesMissing(t *testing.T) {
	b := setup(t)
	elsewhere := New(b.pool, "elsewhere")
	_, list := elsewhere.Parked(b.ctx, ParkedFilter{}, 1)
	_, count := elsewhere.CountParked(b.ctx, ParkedFilter{})
	_, detail := elsewhere.ParkedDetail(b.ctx, 1, false)
	_, replay := elsewhere.CountReplay(b.ctx, ReplayFilter{}, func(ReplayCount) {})
	for _, err := range []error{list, count, detail, replay} {
		require.ErrorIs(t, err, ErrNotInstalled)
	}
}

func TestAmong(t *testing.T) {
	t.Parallel()
	require.Equal(t, Retryable, among(nil, Retryable))
	require.Equal(t, []ParkState{Dead}, among([]ParkState{Waiting, Dead}, Retryable))
	require.False(t, slices.Contains(Retryable, Waiting))
}
