package saga_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
)

// next is the definition's next version, changed.
func next(change func(d *saga.Definition)) saga.Definition {
	def := threeSteps
	def.Version = 2
	def.Steps = slices.Clone(def.Steps)
	change(&def)
	return def
}

func TestMigrateSaysWhyNot(t *testing.T) {
	insert := func(at int, name string) func(d *saga.Definition) {
		return func(d *saga.Definition) {
			step := threeSteps.Steps[0]
			step.Name = name
			d.Steps = slices.Insert(d.Steps, at, step)
		}
	}
	cases := []struct {
		name   string
		status string // of step b of a, b, c
		change func(d *saga.Definition)
		why    string // empty: it fits
	}{
		{"more steps behind", "STARTED", insert(3, "d"), ""},
		{"more steps before what has begun", "STARTED", insert(0, "d"), `"d" has not begun and stands before "b"`},
		{"a step less", "STARTED", func(d *saga.Definition) { d.Steps = d.Steps[:2] }, ""},
		{"less than has begun", "STARTED", func(d *saga.Definition) { d.Steps = d.Steps[:1] }, `"b" has begun and is not in it`},
		{"another order", "STARTED", func(d *saga.Definition) { d.Steps[0], d.Steps[1] = d.Steps[1], d.Steps[0] }, "now stands before"},
		{"another order of what has not begun", "pending", func(d *saga.Definition) { d.Steps[1], d.Steps[2] = d.Steps[2], d.Steps[1] }, ""},
		{"another destination of a step under way", "STARTED", func(d *saga.Definition) { d.Steps[1].Destination = "x" }, "sent elsewhere"},
		{"another content of a step under way", "STARTED", func(d *saga.Definition) { d.Steps[1].Send = saga.Projection{} }, "sent elsewhere"},
		{"another destination of a step that is through", "STARTED", func(d *saga.Definition) { d.Steps[0].Destination = "x" }, ""},
		{"more patience", "STARTED", func(d *saga.Definition) { d.Steps[1].Request.Timeout = time.Hour }, ""},
		{"a pivot that was none", "STARTED", func(d *saga.Definition) { d.Steps[1].Type, d.Steps[2].Type = saga.Pivot, saga.Retriable }, "has begun as"},
		{"another mode", "STARTED", func(d *saga.Definition) { d.Mode = saga.TCC }, "its mode is"},
		{"the same version", "STARTED", func(d *saga.Definition) { d.Version = 1 }, "no other version"},
		{"a new neighbour", "STARTED", func(d *saga.Definition) {
			insert(2, "d")(d)
			d.Steps[1].Group, d.Steps[2].Group = "g", "g"
		}, ""},
		{"a new neighbour in front", "STARTED", func(d *saga.Definition) {
			insert(1, "d")(d)
			d.Steps[1].Group, d.Steps[2].Group = "g", "g"
		}, "in another stage"},
		{"another group", "STARTED", func(d *saga.Definition) { d.Steps[0].Group, d.Steps[1].Group = "g", "g" }, "in another stage"},
		{"while it goes back", "COMPENSATING", insert(3, "d"), ""},
		{"while it is confirmed", "CONFIRMING", func(d *saga.Definition) { d.Mode = saga.TCC; insert(3, "d")(d) }, "being confirmed"},
		{"when it is over", "COMPLETED", insert(3, "d"), "it is COMPLETED"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before, to := withStep(t, c.status), next(c.change)
			require.NoError(t, to.Validate())
			tr, err := saga.MigrateTo(planOf(c.status), to, before, "ada", epoch)
			if c.why != "" {
				require.ErrorContains(t, err, c.why)
				return
			}
			require.NoError(t, err)
			require.Equal(t, 2, tr.Next.DefinitionVersion)
			require.Equal(t, before.Version+1, tr.Next.Version)
			tr = saga.Step(to, tr.Next, saga.Timer{}, epoch)
			require.NotEqual(t, saga.Quarantined, tr.Entry.Disposition, "the saga follows the new version")
		})
	}
}

// A signal that came early waits for its step, which must not become another one.
func TestMigrateKeepsSignals(t *testing.T) {
	def := next(func(d *saga.Definition) {
		d.Version = 1
		d.Steps[2] = saga.StepDefinition{Name: "c", Kind: saga.Signal, Type: saga.Compensatable, Wait: time.Hour, OnTimeout: saga.TimeoutRefuses}
	})
	tr, err := saga.Start(def, saga.StartParams{}, epoch)
	require.NoError(t, err)
	tr = saga.Step(def, tr.Next, saga.Signalled{Step: "c"}, epoch)
	require.Equal(t, saga.Advanced, tr.Entry.Disposition)
	_, err = saga.MigrateTo(def, next(func(*saga.Definition) {}), tr.Next, "ada", epoch)
	require.ErrorContains(t, err, `a signal is kept for step "c"`)
}

// What becomes the next step by the change is begun at once.
func TestMigrateBeginsWhatIsNext(t *testing.T) {
	before := withStep(t, "STARTED")
	to := next(func(d *saga.Definition) {
		step := threeSteps.Steps[0]
		step.Name, step.Group = "d", "g"
		d.Steps[1].Group = "g"
		d.Steps = slices.Insert(d.Steps, 2, step)
	})
	tr, err := saga.MigrateTo(threeSteps, to, before, "ada", epoch)
	require.NoError(t, err)
	require.Len(t, tr.Entry.Sent, 1)
	require.Equal(t, "d", tr.Entry.Sent[0].Step)
}
