package orchestrator

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// straighter is the next version of straight: a car beside the hotel, no mail.
func straighter() saga.Definition {
	def := straight
	def.Version = 2
	def.Steps = []saga.StepDefinition{
		asked("hotel", saga.Compensatable, "stay"), asked("car", saga.Compensatable, "stay"), asked("flight", saga.Pivot, ""),
	}
	return def
}

func (d *desk) migrate(m Migration) Migrated {
	d.Helper()
	m.Name, m.Who = "straight", "grace"
	result, err := d.engine.Migrate(d.ctx, m, func(Migrated) {})
	require.NoError(d, err)
	return result
}

func to(version, from int) sagapg.OtherVersions {
	return sagapg.OtherVersions{To: version, From: from}
}

// Those that fit are moved and go on by the new plan; the others stay, each for its own
// reason. A dry run says the same and does nothing.
func TestMigrate(t *testing.T) {
	d := newDesk(t, straight, delayed, straighter())
	const free = 2*bulkBatch + 10
	var fits []saga.ID
	for range free {
		fits = append(fits, d.bring(straight))
	}
	paused := d.bring(straight, told(saga.Pause))
	var flying []string
	for range keptShown + 1 {
		flying = append(flying, uuid.UUID(d.bring(straight, hotelBooked)).String())
	}
	mailing := d.bring(straight, hotelBooked, flown)
	broken := d.bring(straight)
	d.exec(`UPDATE saga SET step_status = step_status || '{"ghost": "FAILED"}' WHERE id = $1`, uuid.UUID(broken))
	d.bring(straight, told(saga.Kill))
	d.bring(delayed)

	var told []int
	m := Migration{OtherVersions: to(2, 0), DryRun: true, Who: "grace"}
	m.Name = "straight"
	dry, err := d.engine.Migrate(d.ctx, m, func(m Migrated) { told = append(told, m.Moved+m.Stayed()) })
	require.NoError(t, err)
	require.Equal(t, []int{bulkBatch, 2 * bulkBatch, free + 1 + len(flying) + 2}, told)
	require.Zero(t, d.count(`SELECT count(*) FROM saga WHERE definition_version = 2`))

	result := d.migrate(Migration{OtherVersions: to(2, 0)})
	require.Equal(t, dry, result)
	require.Equal(t, free+1, result.Moved)
	why := map[string]Kept{}
	for _, k := range result.Kept {
		_, reason, _ := strings.Cut(k.Reason, "does not fit version 2: ")
		why[reason] = k
	}
	require.Len(t, why, 3)
	fly := why[`step "car" has not begun and stands before "flight", which has`]
	require.Equal(t, len(flying), fly.Count)
	require.Equal(t, flying[:keptShown], fly.First)
	require.Equal(t, []string{uuid.UUID(mailing).String()}, why[`step "mail" has begun and is not in it`].First)
	require.Equal(t, []string{uuid.UUID(broken).String()}, why[""].First)

	require.Equal(t, free+1, d.count(`SELECT count(*) FROM saga_history WHERE kind = 'migrate' AND who = 'grace' AND detail = 'from version 1 to version 2'`))
	require.Equal(t, free, d.count(`SELECT count(*) FROM outbox WHERE routing_key = 'car'`), "not of the one that is paused")
	require.Equal(t, free+1, d.count(`SELECT count(*) FROM saga WHERE definition_version = 2`))
	require.Equal(t, "STARTED | [hotel … car …] → flight · | REQUEST hotel, attempt 1; REQUEST car, attempt 1", d.stands(fits[0]))
	require.Equal(t, "STARTED | [hotel … car ·] → flight · | REQUEST hotel, attempt 1 | ada: paused by the operator: test", d.stands(paused))
	require.Zero(t, d.migrate(Migration{OtherVersions: to(2, 0)}).Moved, "what was moved is not found again")
}

// More sagas than are looked for at once.
func TestMigrateVeryMany(t *testing.T) {
	d := newDesk(t, straight, straighter())
	id := d.bring(straight)
	const columns = `type, definition_version, status, current_step, step_status, waiting, payload, version, wake_at, look_at, started_at, updated_at`
	d.exec(`INSERT INTO saga (id, `+columns+`) SELECT gen_random_uuid(), `+columns+`
		FROM saga, generate_series(1, $2) WHERE id = $1`, uuid.UUID(id), migratePage)
	require.Equal(t, migratePage+1, d.migrate(Migration{OtherVersions: to(2, 0), DryRun: true}).Moved)
}

// Of several versions only the one that is named is left.
func TestMigrateFromOneVersion(t *testing.T) {
	third := straighter()
	third.Version, third.Steps = 3, slices.Clone(straight.Steps)
	d := newDesk(t, straight, straighter(), third)
	d.bring(straight)
	second := d.bring(straighter())
	require.Equal(t, Migrated{Moved: 1, Kept: []Kept{}}, d.migrate(Migration{OtherVersions: to(3, 1)}))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM saga WHERE definition_version = 3`))
	require.Equal(t, []string{uuid.UUID(second).String()}, d.migrate(Migration{OtherVersions: to(3, 0)}).Kept[0].First)
}

func TestMigrateNeedsVersionsAndAName(t *testing.T) {
	d := newDesk(t, straight)
	for _, c := range []struct {
		m    Migration
		want error
	}{
		{Migration{OtherVersions: to(2, 0), Who: "grace"}, sagapg.ErrNoDefinition},
		{Migration{OtherVersions: to(1, 2), Who: "grace"}, sagapg.ErrNoDefinition},
		{Migration{OtherVersions: to(1, 0)}, ErrEvent},
	} {
		c.m.Name = "straight"
		_, err := d.engine.Migrate(d.ctx, c.m, func(Migrated) {})
		require.ErrorIs(t, err, c.want)
	}
}

// When it is interrupted, what was done stays and is told.
func TestMigrateInterrupted(t *testing.T) {
	d := newDesk(t, straight, straighter())
	for range bulkBatch + 1 {
		d.bring(straight)
	}
	ctx, stop := context.WithCancel(d.ctx)
	m := Migration{OtherVersions: to(2, 0), Who: "grace"}
	m.Name = "straight"
	result, err := d.engine.Migrate(ctx, m, func(Migrated) { stop() })
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "100 of them moved (safe to repeat)")
	require.Equal(t, bulkBatch, result.Moved)
	require.Equal(t, bulkBatch, d.count(`SELECT count(*) FROM saga WHERE definition_version = 2`))
	require.Equal(t, 1, d.migrate(m).Moved)
}
