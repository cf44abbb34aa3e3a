package saga_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
)

// drawEvent draws anything that can happen to a saga, sensible or not.
func drawEvent(t *rapid.T, s saga.State) saga.Event {
	steps := []string{"a", "b", "c", "nowhere", ""}
	if s.CurrentStep != "" { // what is waited for should come often
		steps = append(steps, s.CurrentStep, s.CurrentStep, s.CurrentStep)
	}
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0, 1:
		return saga.Timer{}
	case 2:
		return saga.Action{
			Verb:   rapid.SampledFrom([]saga.Verb{saga.RetryNow, saga.Skip, saga.Abort, saga.Resume, "sing"}).Draw(t, "verb"),
			Reason: rapid.SampledFrom([]string{"", "because"}).Draw(t, "reason"),
			Output: jsonmap.JSONMap{"by": "hand"},
		}
	default:
		return saga.Reply{
			Step:      rapid.SampledFrom(steps).Draw(t, "step"),
			Operation: rapid.SampledFrom([]saga.Operation{saga.Request, saga.Cancel, s.Operation, "POKE"}).Draw(t, "op"),
			Outcome: rapid.SampledFrom([]saga.Outcome{
				saga.OutcomeSucceeded, saga.OutcomeFailed, saga.OutcomeCompensated, saga.OutcomeRetry, "perhaps",
			}).Draw(t, "outcome"),
			Attempt: rapid.IntRange(0, 3).Draw(t, "attempt"),
			Output:  jsonmap.JSONMap{"n": 1},
		}
	}
}

// drawDefinition draws three steps in any legal order of types.
func drawDefinition(t *rapid.T) saga.Definition {
	def := threeSteps
	def.Steps = slices.Clone(def.Steps)
	pivot := rapid.IntRange(0, len(def.Steps)).Draw(t, "pivot")
	for i := pivot; i < len(def.Steps); i++ {
		def.Steps[i].Type = saga.Retriable
		if i == pivot && rapid.Bool().Draw(t, "has pivot") {
			def.Steps[i].Type = saga.Pivot
		}
	}
	return def
}

// TestInvariants drives sagas through any events and holds, after each, what the
// package promises and what the saga table's constraints state.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		def := drawDefinition(t)
		now := epoch
		tr, err := saga.Start(def, saga.StartParams{ID: saga.ID{1}, Payload: jsonmap.JSONMap{"p": 1}}, now)
		require.NoError(t, err)
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			before := tr.Next
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*time.Second)).Draw(t, "elapsed")))
			steps, outputs := slices.Clone(before.Steps), maps.Clone(before.Outputs)
			tr = saga.Step(def, before, drawEvent(t, before), now)
			require.Equal(t, steps, before.Steps, "the state that was given is not written to")
			require.Equal(t, outputs, before.Outputs)
			requireInvariants(t, def, before, tr)
		}
	})
}

func requireInvariants(t require.TestingT, def saga.Definition, before saga.State, tr saga.Transition) {
	s := tr.Next
	require.Equal(t, before.Version+1, s.Version)
	require.Equal(t, before.Payload, s.Payload, "the payload never changes")
	require.Equal(t, before.Status, tr.Entry.From)
	require.Equal(t, s.Status, tr.Entry.To)
	if before.Status.Terminal() {
		require.Equal(t, before.Status, s.Status, "terminal states are absorbing")
		require.Empty(t, tr.Effects)
	}
	require.Equal(t, s.Status.Terminal(), !s.EndedAt.IsZero())
	require.Equal(t, s.Status.Terminal(), s.CurrentStep == "" && s.Operation == "" && s.Attempt == 0)
	running := s.Status == saga.StatusStarted || s.Status == saga.StatusAborting
	require.Equal(t, running, !s.WakeAt.IsZero(), "running is timed, and nothing else is")
	require.Equal(t, s.Status == saga.StatusParked, s.ParkReason != "")
	requireSteps(t, def, s)
}

// requireSteps holds what the saga's status says of its steps.
func requireSteps(t require.TestingT, def saga.Definition, s saga.State) {
	for i, step := range s.Steps {
		switch s.Status {
		case saga.StatusCompleted:
			require.Contains(t, []saga.StepStatus{saga.StepSucceeded, saga.StepSkipped}, step.Status)
		case saga.StatusAborted:
			require.Contains(t, []saga.StepStatus{saga.StepPending, saga.StepFailed, saga.StepCompensated}, step.Status)
		case saga.StatusStarted, saga.StatusAborting, saga.StatusParked:
		}
		if step.Status == saga.StepCompensating || step.Status == saga.StepCompensated {
			require.Equal(t, saga.Compensatable, def.Steps[i].Type, "only a compensatable step is ever cancelled")
		}
	}
	_, undone := saga.PrevSagaStep(s.Steps)
	if s.Status == saga.StatusAborted {
		require.False(t, undone, "nothing is left in effect")
	}
}

// FuzzStep feeds Step with states that no saga can reach as well: it must answer
// without panicking, and must not leave a terminal state.
func FuzzStep(f *testing.F) {
	f.Add("STARTED", "b", "REQUEST", 1, "STARTED", "b", "REQUEST", "succeeded", uint8(0), int64(0))
	f.Add("PARKED", "", "", 0, "COMPENSATING", "", "CANCEL", "compensated", uint8(2), int64(-1))
	f.Fuzz(func(t *testing.T, status, current, op string, attempt int, stepStatus, step, replyOp, outcome string, kind uint8, at int64) {
		s := saga.State{
			Type: "three", DefinitionVersion: 1, Status: saga.Status(status),
			CurrentStep: current, Operation: saga.Operation(op), Attempt: attempt,
			Steps: []saga.StepState{{Name: "a", Status: saga.StepStatus(stepStatus)}, {Name: "b", Status: saga.StepStatus(stepStatus)}, {Name: "c"}},
		}
		var e saga.Event
		switch kind % 4 {
		case 0:
			e = saga.Reply{Step: step, Operation: saga.Operation(replyOp), Outcome: saga.Outcome(outcome), Attempt: attempt}
		case 1:
			e = saga.Timer{}
		case 2:
			e = saga.Action{Verb: saga.Verb(outcome), Reason: step}
		}
		tr := saga.Step(threeSteps, s, e, time.Unix(0, at))
		require.Equal(t, s.Version+1, tr.Next.Version)
		if s.Status.Terminal() {
			require.Equal(t, s.Status, tr.Next.Status)
			require.Empty(t, tr.Effects)
		}
	})
}
