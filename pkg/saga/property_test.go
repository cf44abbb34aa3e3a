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
	steps := []string{"a", "b", "c", "d", "nowhere", ""}
	operations := []saga.Operation{saga.Request, saga.Confirm, saga.Cancel, "POKE"}
	for _, step := range s.Steps { // what is waited for should come often
		if op := step.Operation(); op != "" {
			steps = append(steps, step.Name, step.Name, step.Name)
			operations = append(operations, op, op)
		}
	}
	step := rapid.SampledFrom(steps)
	reason := rapid.SampledFrom([]string{"", "because"})
	switch rapid.IntRange(0, 11).Draw(t, "kind") {
	case 0, 1:
		return saga.Timer{}
	case 2:
		return saga.Action{
			Verb: rapid.SampledFrom([]saga.Verb{saga.RetryNow, saga.Skip, saga.Abort, saga.Pause, saga.Resume, saga.Resume, "sing"}).Draw(t, "verb"),
			Step: step.Draw(t, "step"), Reason: reason.Draw(t, "reason"), Output: jsonmap.JSONMap{"by": "hand"},
		}
	case 3:
		return saga.Signalled{
			Step: step.Draw(t, "step"), Refused: rapid.Bool().Draw(t, "refused"), Reason: reason.Draw(t, "reason"),
			Output: jsonmap.JSONMap{"by": "signal"},
		}
	case 4:
		if rapid.IntRange(0, 9).Draw(t, "kill") == 0 {
			return saga.Action{Verb: saga.Kill, Reason: reason.Draw(t, "reason")}
		}
	}
	return saga.Reply{
		Step: step.Draw(t, "step"), Operation: rapid.SampledFrom(operations).Draw(t, "op"),
		Outcome: rapid.SampledFrom([]saga.Outcome{
			saga.OutcomeSucceeded, saga.OutcomeSucceeded, saga.OutcomeConfirmed, saga.OutcomeFailed,
			saga.OutcomeCompensated, saga.OutcomeRetry, "perhaps",
		}).Draw(t, "outcome"),
		Attempt: rapid.IntRange(0, 3).Draw(t, "attempt"),
		Output:  jsonmap.JSONMap{"n": 1},
	}
}

// drawDefinition draws up to four steps in any shape that Validate accepts.
func drawDefinition(t *rapid.T) saga.Definition {
	def := threeSteps
	def.Mode = rapid.SampledFrom([]saga.Mode{saga.Sequence, saga.Sequence, saga.TCC}).Draw(t, "mode")
	if rapid.Bool().Draw(t, "has deadline") {
		def.Deadline = 10 * time.Second
	}
	names := []string{"a", "b", "c", "d"}[:rapid.IntRange(1, 4).Draw(t, "steps")]
	def.Steps = nil
	pivot := rapid.IntRange(0, len(names)).Draw(t, "pivot")
	for i, name := range names {
		step := threeSteps.Steps[0]
		step.Name, step.Destination = name, name
		if def.Mode == saga.Sequence && i >= pivot {
			step.Type = saga.Retriable
			if i == pivot && rapid.Bool().Draw(t, "has pivot") {
				step.Type = saga.Pivot
			}
		}
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			step = saga.StepDefinition{Name: name, Kind: saga.Delay, Type: saga.Compensatable, Wait: time.Second}
		case 1:
			step = saga.StepDefinition{Name: name, Kind: saga.Signal, Type: saga.Compensatable, Wait: time.Second}
			step.OnTimeout = rapid.SampledFrom([]saga.OnTimeout{saga.TimeoutRefuses, saga.TimeoutProceeds, saga.TimeoutParks}).Draw(t, "on timeout")
		}
		step.When = saga.Condition(rapid.SampledFrom([]string{"", "", "", "payload.p == 1", "payload.p == 2", "payload.p.q.r"}).Draw(t, "when"))
		step.Group = rapid.SampledFrom([]string{"", "g"}).Draw(t, "group")
		def.Steps = append(def.Steps, step)
	}
	if def.Validate() != nil {
		t.Skip("no such definition")
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
	require.NotEmpty(t, tr.Entry.Disposition)
	require.NotEmpty(t, tr.Entry.Detail)
	if before.Status.Terminal() {
		require.Equal(t, before.Status, s.Status, "terminal states are absorbing")
		require.Empty(t, tr.Effects)
	}
	require.Equal(t, s.Status.Terminal(), !s.EndedAt.IsZero())
	running := s.Status == saga.StatusStarted || s.Status == saga.StatusAborting
	require.Equal(t, running && !s.Paused, !s.WakeAt().IsZero(), "running is timed, and nothing else is")
	require.Equal(t, s.Status == saga.StatusParked, s.ParkReason() != "")
	require.True(t, running || !s.Paused, "only what runs is paused")
	goesBack := s.Status == saga.StatusAborting || s.Status == saga.StatusAborted
	require.False(t, goesBack && s.Failure == nil, "what goes back has a reason")
	forward := s.Status == saga.StatusStarted || s.Status == saga.StatusCompleted
	require.False(t, forward && s.Failure != nil, "what goes forward has none")
	requireSteps(t, def, s)
	requireSends(t, before, tr)
}

// inEffect are the statuses in which a step may have an effect.
var inEffect = []saga.StepStatus{
	saga.StepStarted, saga.StepSucceeded, saga.StepSkipped, saga.StepConfirming, saga.StepConfirmed, saga.StepCompensating,
}

// requireSteps holds what the saga's status says of its steps.
func requireSteps(t require.TestingT, def saga.Definition, s saga.State) {
	for i, step := range s.Steps {
		d := def.Steps[i]
		switch s.Status {
		case saga.StatusCompleted:
			done := []saga.StepStatus{saga.StepSucceeded, saga.StepSkipped, saga.StepOmitted}
			if def.Mode == saga.TCC && d.Kind == saga.Command {
				done = []saga.StepStatus{saga.StepConfirmed, saga.StepSkipped, saga.StepOmitted}
			}
			require.Contains(t, done, step.Status)
		case saga.StatusAborted:
			require.NotContains(t, inEffect, step.Status)
		case saga.StatusStarted, saga.StatusAborting, saga.StatusParked, saga.StatusKilled:
		}
		if step.Status == saga.StepCompensating {
			require.Equal(t, saga.Compensatable, d.Type, "only a compensatable step is ever cancelled")
		}
		if s.Status.Terminal() {
			require.Equal(t, saga.StepState{Name: step.Name, Status: step.Status}, step, "nothing is waited for")
		}
	}
}

// requireSends holds that what goes out belongs to the state that is kept.
func requireSends(t require.TestingT, before saga.State, tr saga.Transition) {
	var sent []saga.SendCommand
	for _, e := range tr.Effects {
		if c, ok := e.(saga.SendCommand); ok {
			sent = append(sent, c)
		}
	}
	require.Equal(t, sent, tr.Entry.Sent)
	for _, c := range sent {
		i := slices.IndexFunc(tr.Next.Steps, func(s saga.StepState) bool { return s.Name == c.Step })
		was, is := before.Steps[i], tr.Next.Steps[i]
		require.Equal(t, c.Operation, is.Operation())
		require.Equal(t, c.Attempt, is.Attempt)
		if was.Operation() == c.Operation {
			require.Equal(t, was.Attempt+1, c.Attempt, "an attempt is never sent twice")
		} else {
			require.Equal(t, 1, c.Attempt)
		}
		require.False(t, tr.Next.Paused, "a paused saga sends nothing")
	}
}

// FuzzStep feeds Step with states that no saga can reach as well: it must answer
// without panicking, and must not leave a terminal state.
func FuzzStep(f *testing.F) {
	f.Add("STARTED", "STARTED", 1, "", false, "b", "REQUEST", "succeeded", uint8(0), int64(0))
	f.Add("PARKED", "COMPENSATING", 0, "refused", true, "", "CANCEL", "compensated", uint8(2), int64(-1))
	f.Fuzz(func(t *testing.T, status, stepStatus string, attempt int, park string, paused bool, step, op, outcome string, kind uint8, at int64) {
		def := threeSteps
		if kind&4 != 0 {
			def.Mode = saga.TCC
		}
		odd := saga.StepState{Name: "b", Status: saga.StepStatus(stepStatus), Attempt: attempt, Park: saga.ParkReason(park), WakeAt: time.Unix(0, at)}
		s := saga.State{
			Type: "three", DefinitionVersion: 1, Status: saga.Status(status), Paused: paused,
			Steps: []saga.StepState{{Name: "a", Status: saga.StepStatus(stepStatus)}, odd, {Name: "c"}},
		}
		var e saga.Event
		switch kind % 5 {
		case 0:
			e = saga.Reply{Step: step, Operation: saga.Operation(op), Outcome: saga.Outcome(outcome), Attempt: attempt}
		case 1:
			e = saga.Timer{}
		case 2:
			e = saga.Action{Verb: saga.Verb(outcome), Step: step, Reason: op}
		case 3:
			e = saga.Signalled{Step: step, Refused: paused}
		}
		tr := saga.Step(def, s, e, time.Unix(0, at))
		require.Equal(t, s.Version+1, tr.Next.Version)
		if s.Status.Terminal() {
			require.Equal(t, s.Status, tr.Next.Status)
			require.Empty(t, tr.Effects)
		}
	})
}
