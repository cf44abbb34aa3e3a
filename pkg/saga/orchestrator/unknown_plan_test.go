package orchestrator

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// A plan that this program cannot follow stops its own sagas and no others: these stand
// still, what comes for them is set aside, and they can be killed.
func TestAnUnknownPlanStopsItsOwnSagasOnly(t *testing.T) {
	for name, damage := range map[string]string{
		"a kind of step of a newer program": `UPDATE saga_definition SET spec = jsonb_set(spec, '{steps,0,kind}', '"teleport"') WHERE name = 'newer'`,
		"a field of a newer program":        `UPDATE saga_definition SET spec = jsonb_set(spec, '{steps,0,priority}', '"high"') WHERE name = 'newer'`,
		"steps of another form":             `UPDATE saga_definition SET spec = jsonb_set(spec, '{steps}', '["hotel", 1]') WHERE name = 'newer'`,
		"a condition of a newer program":    `UPDATE saga_definition SET spec = jsonb_set(spec, '{steps,1,when}', '"telepathy(payload)"') WHERE name = 'newer'`,
		"changed by hand":                   `UPDATE saga_definition SET hash = encode(sha256('x'), 'hex') WHERE name = 'newer'`,
		"deleted by hand":                   `DELETE FROM saga_definition WHERE name = 'newer'`,
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			ids := b.start(6)
			strange, known := ids[:3], ids[3:]
			b.exec(`ALTER TABLE saga_definition DISABLE TRIGGER USER`)
			b.exec(`INSERT INTO saga_definition (name, version, spec, hash) SELECT 'newer', 7, spec, hash FROM saga_definition`)
			b.exec(`UPDATE saga SET type = 'newer', definition_version = 7 WHERE id = ANY ($1)`, strange)
			b.exec(damage)

			e := b.engine()
			_, unknown, err := e.Check(b.ctx)
			require.NoError(t, err)
			require.Len(t, unknown, 1)
			require.EqualValues(t, 3, unknown[0].Sagas)

			b.overdue()
			stop := b.run(e)
			require.Eventually(t, func() bool { return b.attempts(2) == len(known) }, soon, tick)
			require.Eventually(t, func() bool { return b.count(`SELECT count(*) FROM saga WHERE wake_at > now()`) == 6 }, soon, tick,
				"those that stand still are looked at again later")
			require.NoError(t, e.Ready(), "the timers of others fire")
			stop()

			rejections := b.handle(b.answer(strange[0], "hotel", saga.Request, saga.OutcomeSucceeded),
				b.answer(known[0], "hotel", saga.Request, saga.OutcomeSucceeded))
			require.Len(t, rejections, 1)
			require.Equal(t, 0, rejections[0].Index)
			require.Equal(t, inbox.Unexpected, rejections[0].Code)
			require.Contains(t, rejections[0].Reason, "definition newer version 7")
			require.Equal(t, "STARTED REQUEST flight 1", b.status(known[0]))

			story, err := e.Show(b.ctx, strange[0], 10)
			require.NoError(t, err)
			require.Contains(t, story.StandsStill, "definition newer version 7")
			story, err = e.Show(b.ctx, known[0], 10)
			require.NoError(t, err)
			require.Empty(t, story.StandsStill)
			lines, err := b.store.Overviews(b.ctx, b.db, ids)
			require.NoError(t, err)
			require.Len(t, lines, 6)

			retry, err := e.Act(b.ctx, strange[0], saga.Action{Verb: saga.RetryNow, Who: "op"})
			require.NoError(t, err)
			require.False(t, TookEffect(retry.Entry))
			require.Contains(t, retry.Entry.Detail, "definition newer version 7")
			moved, err := e.Migrate(b.ctx, Migration{OtherVersions: sagapg.OtherVersions{Name: "trip", To: 1}, Who: "op"}, func(Migrated) {})
			require.NoError(t, err)
			require.Zero(t, moved.Moved+moved.Stayed())

			kill := saga.Action{Verb: saga.Kill, Who: "op", Reason: "of a newer program"}
			killed, err := e.Act(b.ctx, strange[0], kill)
			require.NoError(t, err)
			require.True(t, TookEffect(killed.Entry))
			tally, err := e.ActAll(b.ctx, ids, kill, func(Tally) {})
			require.NoError(t, err)
			require.Equal(t, 5, tally.Done)
			require.Equal(t, map[string]int{"the saga has ended": 1}, tally.Refused)
			require.Equal(t, 6, b.count(`SELECT count(*) FROM saga WHERE status = 'KILLED'`))
			require.Equal(t, 3, b.count(`SELECT count(*) FROM saga WHERE id = ANY ($1) AND step_status @> '{"hotel": "STARTED"}'`, strange), "where they stood")
			b.sound()
			_, unknown, err = e.Check(b.ctx)
			require.NoError(t, err)
			require.Empty(t, unknown)
		})
	}
}

// A saga of a plan that cannot be followed is not moved by guessing where it stands.
func TestAnUnknownPlanIsNotMigratedFrom(t *testing.T) {
	b := setup(t)
	id := b.start(1)[0]
	next := plan()
	next.Version = 2
	_, err := b.store.ApplyDefinition(b.ctx, b.db, next)
	require.NoError(t, err)
	b.exec(`ALTER TABLE saga_definition DISABLE TRIGGER USER`)
	b.exec(`UPDATE saga_definition SET spec = jsonb_set(spec, '{steps,0,priority}', '"high"') WHERE version = 1`)
	result, err := b.engine().Migrate(b.ctx, Migration{OtherVersions: sagapg.OtherVersions{Name: "trip", To: 2}, Who: "op"}, func(Migrated) {})
	require.NoError(t, err)
	require.Zero(t, result.Moved)
	require.Len(t, result.Kept, 1)
	require.Contains(t, result.Kept[0].Reason, "not understood")
	require.Equal(t, []string{uuid.UUID(id).String()}, result.Kept[0].First)
}
