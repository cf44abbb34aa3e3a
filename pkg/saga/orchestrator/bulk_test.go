package orchestrator

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

var (
	aborting     = saga.Action{Verb: saga.Abort, Who: "grace", Reason: "closed"}
	straightOnes = sagapg.Selection{Type: "straight", Limit: sagapg.MaxFound}
)

func (d *desk) plan(which sagapg.Selection, event saga.Event) Plan {
	d.Helper()
	plan, err := d.engine.Plan(d.ctx, which, event)
	require.NoError(d, err)
	return plan
}

func (d *desk) count(query string, args ...any) (n int) {
	d.Helper()
	require.NoError(d, d.db.QueryRow(d.ctx, query, args...).Scan(&n))
	return n
}

func (d *desk) exec(query string, args ...any) {
	d.Helper()
	_, err := d.db.Exec(d.ctx, query, args...)
	require.NoError(d, err)
}

// Many sagas are told in batches; one that refuses, is gone or cannot be read does not
// keep the others from it.
func TestActOnMany(t *testing.T) {
	d := newDesk(t, straight, delayed)
	const free = 2*bulkBatch + 10
	for range free {
		d.bring(straight)
	}
	bound := d.bring(straight, hotelBooked, flown)
	broken := d.bring(straight)
	d.bring(straight, told(saga.Kill))
	d.bring(delayed)
	d.exec(`UPDATE saga SET step_status = step_status || '{"ghost": "FAILED"}' WHERE id = $1`, uuid.UUID(broken))

	plan := d.plan(straightOnes, aborting)
	require.Len(t, plan.IDs, free+2)
	require.Zero(t, d.count(`SELECT count(*) FROM saga WHERE status = 'ABORTING'`), "planning does nothing")
	ids := append([]saga.ID{saga.ID(uuid.New())}, plan.IDs...)
	var told []int
	tally, err := d.engine.ActAll(d.ctx, ids, aborting, func(t Tally) { told = append(told, t.Told()) })
	require.NoError(t, err)
	require.Equal(t, Tally{Done: free, Refused: map[string]int{
		"a step that cannot be undone may have taken effect (asked for: closed)": 1, refusedGone: 1, refusedUnreadable: 1,
	}}, tally)
	require.Equal(t, []int{bulkBatch, 2 * bulkBatch, len(ids)}, told)
	require.Equal(t, free, d.count(`SELECT count(*) FROM saga WHERE status = 'ABORTING'`))
	require.Equal(t, free+1, d.count(`SELECT count(*) FROM saga_history WHERE kind = 'abort' AND who = 'grace'`))
	require.Equal(t, free, d.count(`SELECT count(*) FROM outbox WHERE routing_key = 'hotel' AND headers::text LIKE '%CANCEL%'`))
	require.True(t, strings.HasPrefix(d.lastEntry(bound), "refused: "))
}

// A token is good for one verb, one filter and the very sagas that were seen.
func TestTokens(t *testing.T) {
	d := newDesk(t, straight, delayed)
	first := d.bring(straight)
	d.bring(straight)
	d.bring(delayed)
	seen := d.plan(straightOnes, aborting)
	require.Len(t, seen.IDs, 2)
	quiet := func(Tally) {}
	again := saga.Action{Verb: saga.Abort, Who: "ada", Reason: "closed, ticket 17"}
	require.Equal(t, seen.Token, d.plan(straightOnes, again).Token, "another may do it, and say more")

	other := straightOnes
	other.Running, other.Step = true, "hotel"
	for name, plan := range map[string]Plan{
		"verb":   d.plan(straightOnes, told(saga.Pause)),
		"filter": d.plan(other, aborting),
		"signal": d.plan(straightOnes, saga.Signalled{Step: "hotel", Who: "grace"}),
	} {
		_, err := d.engine.Carry(d.ctx, plan, seen.Token, quiet)
		require.ErrorIs(t, err, ErrOutdated, name)
		require.ErrorContains(t, err, "another verb, step, output or filter", name)
	}
	for _, token := range []string{"", "2", "x-y-z", "2-" + seen.Token, strings.ToUpper(seen.Token)} {
		_, err := d.engine.Carry(d.ctx, seen, token, quiet)
		require.ErrorIs(t, err, ErrOutdated, token)
	}
	skips := map[string]bool{}
	for _, skip := range []saga.Action{
		{Verb: saga.Skip, Who: "grace"},
		{Verb: saga.Skip, Who: "grace", Step: "hotel"},
		{Verb: saga.Skip, Who: "grace", Output: jsonmap.JSONMap{"a": 1}},
		{Verb: saga.Skip, Who: "grace", Output: jsonmap.JSONMap{"a": 2}},
	} {
		skips[d.plan(straightOnes, skip).Token] = true
	}
	require.Len(t, skips, 4, "another step or output is another plan")
	yes, no := saga.Signalled{Step: "hotel", Who: "grace"}, saga.Signalled{Step: "hotel", Who: "grace", Refused: true}
	require.NotEqual(t, d.plan(straightOnes, yes).Token, d.plan(straightOnes, no).Token)

	d.bring(straight)
	_, err := d.engine.Carry(d.ctx, d.plan(straightOnes, aborting), seen.Token, quiet)
	require.ErrorContains(t, err, "2 sagas matched then and 3 match now")
	_, err = d.engine.Act(d.ctx, first, told(saga.Kill))
	require.NoError(t, err)
	_, err = d.engine.Carry(d.ctx, d.plan(straightOnes, aborting), seen.Token, quiet)
	require.ErrorContains(t, err, "2 sagas match now as then, but other ones")
	require.Zero(t, d.count(`SELECT count(*) FROM saga WHERE status = 'ABORTING'`), "a token that does not fit does nothing")

	plan := d.plan(straightOnes, aborting)
	tally, err := d.engine.Carry(d.ctx, plan, plan.Token, quiet)
	require.NoError(t, err)
	require.Equal(t, 2, tally.Done)
}

func TestActRefusesWhatCannotBeRecorded(t *testing.T) {
	d := newDesk(t, straight)
	id := d.bring(straight)
	big := jsonmap.JSONMap{"a": strings.Repeat("x", maxOutput)}
	for want, event := range map[string]saga.Event{
		"who it was is missing":    saga.Action{Verb: saga.Pause},
		"the verb is none of":      saga.Action{Verb: "cancel", Who: "ada"},
		"abort is about the whole": saga.Action{Verb: saga.Abort, Step: "hotel", Who: "ada", Reason: "x"},
		"retry brings no output":   saga.Action{Verb: saga.RetryNow, Who: "ada", Output: jsonmap.JSONMap{"a": 1}},
		"step is missing":          saga.Signalled{Who: "ada"},
		"saga.Timer":               saga.Timer{},
		"who has 256 bytes":        saga.Action{Verb: saga.Pause, Who: strings.Repeat("a", 256)},
		"reason has 1001 bytes":    saga.Action{Verb: saga.Pause, Who: "ada", Reason: strings.Repeat("a", 1001)},
		"reason is not UTF-8":      saga.Action{Verb: saga.Pause, Who: "ada", Reason: "a\x00b"},
		"step is not UTF-8":        saga.Signalled{Step: "\xff", Who: "ada"},
		"output has 65544 bytes":   saga.Action{Verb: saga.Skip, Who: "ada", Reason: "x", Output: big},
		"output: json":             saga.Signalled{Step: "a", Who: "ada", Output: jsonmap.JSONMap{"a": "\x00"}},
	} {
		_, err := d.engine.Act(d.ctx, id, event)
		require.ErrorIs(t, err, ErrEvent, want)
		require.ErrorContains(t, err, want)
		_, err = d.engine.Plan(d.ctx, straightOnes, event)
		require.ErrorIs(t, err, ErrEvent, want)
		_, err = d.engine.ActAll(d.ctx, []saga.ID{id}, event, func(Tally) {})
		require.ErrorIs(t, err, ErrEvent, want)
	}
	require.Equal(t, 1, d.count(`SELECT count(*) FROM saga_history`))
}

func TestActOnNothing(t *testing.T) {
	d := newDesk(t, straight)
	_, err := d.engine.Act(d.ctx, saga.ID(uuid.New()), told(saga.Pause))
	require.ErrorIs(t, err, sagapg.ErrNoSaga)
	over, cancel := context.WithCancel(d.ctx)
	cancel()
	id := d.bring(straight)
	_, err = d.engine.Act(over, id, told(saga.Pause))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "nothing was done")
	tally, err := d.engine.ActAll(d.ctx, nil, told(saga.Pause), func(Tally) { t.Error("no batch, no progress") })
	require.NoError(t, err)
	require.Zero(t, tally.Told())
}
