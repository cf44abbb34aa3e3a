package saga_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
)

func TestValidateNamesFieldAndRemedy(t *testing.T) {
	require.NoError(t, threeSteps.Validate())
	cases := []struct {
		path  string
		spoil func(d *saga.Definition)
	}{
		{"name", func(d *saga.Definition) { d.Name = "Room Reservation" }},
		{"name", func(d *saga.Definition) { d.Name = strings.Repeat("a", 64) }},
		{"version", func(d *saga.Definition) { d.Version = 0 }},
		{"steps", func(d *saga.Definition) { d.Steps = nil }},
		{"steps", func(d *saga.Definition) { d.Steps = make([]saga.StepDefinition, saga.MaxSteps+1) }},
		{"steps[1].name", func(d *saga.Definition) { d.Steps[1].Name = "a" }},
		{"steps[1].name", func(d *saga.Definition) { d.Steps[1].Name = "" }},
		{"steps[1].type", func(d *saga.Definition) { d.Steps[1].Type = "sometimes" }},
		{"steps[1].destination", func(d *saga.Definition) { d.Steps[1].Destination = "a..b" }},
		{"steps[1].destination", func(d *saga.Definition) { d.Steps[1].Destination = "a.*" }},
		{"steps[1].request.timeout", func(d *saga.Definition) { d.Steps[1].Request.Timeout = 0 }},
		{"steps[1].request.timeout", func(d *saga.Definition) { d.Steps[1].Request.Timeout = math.MaxInt64 }},
		{"steps[1].cancel.timeout", func(d *saga.Definition) { d.Steps[1].Cancel.Timeout = -time.Second }},
		{"steps[1].cancel.retry.initial", func(d *saga.Definition) { d.Steps[1].Cancel.Retry.Initial = 0 }},
		{"steps[1].request.retry_for", func(d *saga.Definition) { d.Steps[1].Request.RetryFor = 0 }},
		{"steps[1].cancel.retry_for", func(d *saga.Definition) { d.Steps[1].Cancel.RetryFor = saga.MaxWait + 1 }},
		{"steps[1].request.retry.max", func(d *saga.Definition) { d.Steps[1].Request.Retry.Max = time.Millisecond }},
		{"steps[1].request.retry.factor", func(d *saga.Definition) { d.Steps[1].Request.Retry.Factor = 0.5 }},
		{"steps[1].request.retry.factor", func(d *saga.Definition) { d.Steps[1].Request.Retry.Factor = math.NaN() }},
		{"steps[1].request.retry.jitter", func(d *saga.Definition) { d.Steps[1].Request.Retry.Jitter = 1.5 }},
		{"steps[1].request.retry.attempts", func(d *saga.Definition) { d.Steps[1].Request.Retry.Attempts = 0 }},
		{"steps[2].type", func(d *saga.Definition) { d.Steps[1].Type = saga.Pivot }},
		{"steps[1].type", func(d *saga.Definition) {
			d.Steps[0].Type, d.Steps[1].Type, d.Steps[2].Type = saga.Pivot, saga.Pivot, saga.Retriable
		}},
		{"steps[2].type", func(d *saga.Definition) { d.Steps[1].Type, d.Steps[2].Type = saga.Retriable, saga.Pivot }},
		{"mode", func(d *saga.Definition) { d.Mode = "2pc" }},
		{"deadline", func(d *saga.Definition) { d.Deadline = -1 }},
		{"deadline", func(d *saga.Definition) { d.Deadline = saga.MaxWait + 1 }},
		{"steps[0].type", func(d *saga.Definition) { d.Mode, d.Steps[0].Type = saga.TCC, saga.Pivot }},
		{"steps[0].confirm.retry.attempts", func(d *saga.Definition) { d.Mode, d.Steps[0].Confirm.Retry.Attempts = saga.TCC, 0 }},
		{"steps[1].kind", func(d *saga.Definition) { d.Steps[1].Kind = "prayer" }},
		{"steps[1].wait", func(d *saga.Definition) { d.Steps[1].Wait = time.Second }},
		{"steps[1].wait", func(d *saga.Definition) { d.Steps[1] = saga.StepDefinition{Name: "b", Kind: saga.Delay} }},
		{"steps[1].destination", func(d *saga.Definition) {
			d.Steps[1] = saga.StepDefinition{Name: "b", Kind: saga.Delay, Wait: time.Second, Destination: "b"}
		}},
		{"steps[1].send", func(d *saga.Definition) {
			d.Steps[1] = saga.StepDefinition{Name: "b", Kind: saga.Delay, Wait: time.Second, Send: saga.Projection{}}
		}},
		{"steps[1].keep", func(d *saga.Definition) {
			d.Steps[1] = saga.StepDefinition{Name: "b", Kind: saga.Delay, Wait: time.Second, Keep: saga.Projection{}}
		}},
		{"steps[1].on_timeout", func(d *saga.Definition) {
			d.Steps[1] = saga.StepDefinition{Name: "b", Kind: saga.Delay, Wait: time.Second, OnTimeout: saga.TimeoutParks}
		}},
		{"steps[1].on_timeout", func(d *saga.Definition) {
			d.Steps[1] = saga.StepDefinition{Name: "b", Kind: saga.Signal, Wait: time.Second, OnTimeout: "cry"}
		}},
		{"steps[1].on_timeout", func(d *saga.Definition) {
			d.Steps[0].Type = saga.Pivot
			d.Steps[1] = saga.StepDefinition{Name: "b", Kind: saga.Signal, Wait: time.Second, OnTimeout: saga.TimeoutRefuses}
		}},
		{"steps[2].group", func(d *saga.Definition) { d.Steps[0].Group, d.Steps[2].Group = "g", "g" }},
		{"steps[1].group", func(d *saga.Definition) { d.Steps[1].Group = "G!" }},
		{"steps[2].group", func(d *saga.Definition) {
			d.Steps[1].Group, d.Steps[2].Group, d.Steps[2].Type = "g", "g", saga.Pivot
		}},
		{"steps[1].when", func(d *saga.Definition) { d.Steps[1].When = "payload.n +" }},
		{"steps[1].when", func(d *saga.Definition) { d.Steps[1].When = "1 + 1" }},
		{"steps[1].when", func(d *saga.Definition) { d.Steps[1].When = "now().Year() > 2000" }},
		{"steps[1].when", func(d *saga.Definition) { d.Steps[1].When = "weather == 1" }},
		{"steps[1].when", func(d *saga.Definition) { d.Steps[1].When = "outputs.c.n == 1" }},
		{"steps[1].when", func(d *saga.Definition) {
			d.Steps[0].Group, d.Steps[1].Group, d.Steps[1].When = "g", "g", `outputs["a"].n == 1`
		}},
		{"steps[1].send.n", func(d *saga.Definition) { d.Steps[1].Send = saga.Projection{"n": "/outputs/b/n"} }},
		{"steps[1].send.n", func(d *saga.Definition) { d.Steps[1].Send = saga.Projection{"n": "/elsewhere"} }},
		{"steps[1].send.n", func(d *saga.Definition) { d.Steps[1].Send = saga.Projection{"n": "payload"} }},
		{"steps[1].keep.n", func(d *saga.Definition) { d.Steps[1].Keep = saga.Projection{"n": ""} }},
		{"steps[1].keep.n", func(d *saga.Definition) { d.Steps[1].Keep = saga.Projection{"n": "/a\x00"} }},
		{"steps[1].send.\xff", func(d *saga.Definition) { d.Steps[1].Send = saga.Projection{"\xff": "/payload"} }},
		{"steps[1].when", func(d *saga.Definition) { d.Steps[1].When = saga.Condition(strings.Repeat("(", 5000)) }},
		{"steps[1].on_timeout", func(d *saga.Definition) { d.Steps[1].OnTimeout = saga.TimeoutParks }},
		{"steps[2].group", func(d *saga.Definition) { // a delay between them changes nothing
			d.Steps[1] = saga.StepDefinition{Name: "b", Kind: saga.Delay, Wait: time.Second, Group: "g"}
			d.Steps[0].Group, d.Steps[2].Group, d.Steps[2].Type = "g", "g", saga.Pivot
		}},
	}
	for _, c := range cases {
		def := threeSteps
		def.Steps = slices.Clone(def.Steps)
		c.spoil(&def)
		var invalid *saga.DefinitionError
		require.ErrorAs(t, def.Validate(), &invalid, c.path)
		var paths []string
		for _, p := range invalid.Problems {
			require.NotEmpty(t, p.Remedy)
			paths = append(paths, p.Path)
		}
		require.Contains(t, paths, c.path)
		_, err := saga.Start(def, saga.StartParams{}, epoch)
		require.Error(t, err, "a saga must not start with it")
	}
}

func TestStepRefusesAnotherDefinition(t *testing.T) {
	before := withStep(t, "STARTED")
	other := threeSteps
	other.Version = 2
	tr := saga.Step(other, before, saga.Timer{}, before.WakeAt())
	require.Equal(t, saga.Quarantined, tr.Entry.Disposition)
	requireUnchanged(t, before, tr)
}

func TestOutputsAreKeptWithoutTouchingTheOldState(t *testing.T) {
	before := withStep(t, "STARTED")
	tr := saga.Step(threeSteps, before, saga.Reply{
		Step: "b", Operation: saga.Request, Outcome: saga.OutcomeSucceeded, Output: map[string]any{"n": "1"},
	}, epoch)
	require.Empty(t, before.Outputs)
	got, _ := tr.Next.Outputs["b"]
	require.Equal(t, "1", got.(map[string]any)["n"])
}
