package sim

import (
	"fmt"
	"time"

	"go.example/saga/pkg/saga"
)

// shape is the definition of a schedule's sagas, and what the checks need to know of
// it by other means than the core's.
type shape struct {
	def   saga.Definition
	steps [maxSteps]saga.StepDefinition // behind def.Steps
	stage [maxSteps]int                 // the number of each step's stage
	needs [maxSteps]need
}

// need is the condition of a step, as the checks evaluate it.
type need struct {
	kind uint8 // one of these
	of   int8  // the step whose output is read
}

const (
	always uint8 = iota
	byPayload
	byOutput
)

// What conditions and projections there are. They are made once: a definition is
// drawn a million times.
var (
	whenPayload = saga.Condition("payload.n > 1")
	whenOutput  [maxSteps]saga.Condition
	sendPayload = saga.Projection{"n": "/payload/n"}
	sendOutput  [maxSteps]saga.Projection
	keepNumber  = saga.Projection{"n": "/n"}
	keepNothing = saga.Projection{"m": "/nothing"}
)

func init() {
	for i, name := range stepNames {
		whenOutput[i] = saga.Condition(fmt.Sprintf("outputs.%s.n > 1", name))
		sendOutput[i] = saga.Projection{"x": "/outputs/" + name + "/n"}
	}
}

// drawShape draws any legal definition of one to five steps.
func (w *world) drawShape() {
	w.shape = &w.shapes[0]
	*w.shape = shape{}
	w.def = saga.Definition{Name: "drawn", Version: 1, Mode: saga.Sequence}
	if w.below(4) == 3 {
		w.def.Mode = saga.TCC
	}
	if w.below(4) == 3 {
		w.def.Deadline = time.Duration(8+8*w.below(8)) * time.Millisecond
	}
	w.def.Steps = w.steps[:1+w.below(maxSteps)]
	w.drawSteps(0)
	if w.moving = w.below(4) == 3; w.moving {
		w.drawSuccessor()
	}
}

// drawSuccessor draws the version that sagas are moved to while they run: its first
// steps are the same ones with other policies, the others are drawn anew.
func (w *world) drawSuccessor() {
	first := w.shape
	w.shape = &w.shapes[1]
	*w.shape = *first
	kept := w.below(len(first.def.Steps) + 1)
	clear(w.steps[kept:])
	w.def.Version = 2
	w.def.Steps = w.steps[:max(1, kept+w.below(maxSteps-kept+1))]
	w.drawSteps(kept)
	w.shape = first
}

// drawSteps draws all steps but the first ones, which are kept.
func (w *world) drawSteps(kept int) {
	request, confirm, cancel := w.drawPolicy(), w.drawPolicy(), w.drawPolicy()
	reach := saga.Compensatable
	for i := range w.def.Steps {
		s := &w.def.Steps[i]
		if i >= kept {
			s.Name = stepNames[i]
			reach = w.drawKind(s, reach)
			if s.Kind == saga.Command {
				s.Destination = queueNames[serviceOf(int8(i))]
			}
			w.drawStage(i)
			w.drawData(i)
		}
		if s.Kind == saga.Command {
			reach = s.Type
			s.Request, s.Cancel = request, cancel
			if w.def.Mode == saga.TCC {
				s.Confirm = confirm
			}
		}
	}
}

// follow makes the shape that the saga follows the one at hand.
func (w *world) follow(s *saga.State) {
	if s.DefinitionVersion > 0 {
		w.shape = &w.shapes[s.DefinitionVersion-1]
	}
}

// serviceOf is the participant that the step asks, whatever the version.
func serviceOf(step int8) int { return 1 + int(step)%(maxServices-1) }

func (w *world) drawPolicy() saga.Policy {
	return saga.Policy{
		Timeout:  time.Duration(6+4*w.below(3)) * time.Millisecond,
		RetryFor: time.Duration(2+4*w.below(4)) * time.Millisecond,
		Retry: saga.Retry{
			Initial: 2 * time.Millisecond, Factor: float64(1 + w.below(2)), Max: 8 * time.Millisecond,
			Jitter: float64(w.below(2)) / 2, Attempts: 1 + w.below(3),
		},
	}
}

// drawKind draws what the step is; reach is the type of the commands before it.
func (w *world) drawKind(s *saga.StepDefinition, reach saga.StepType) saga.StepType {
	kind, turn := w.below(8), w.below(6)
	switch kind {
	case 5:
		s.Kind, s.Wait = saga.Delay, 5*time.Millisecond
		return reach
	case 6, 7:
		s.Kind, s.Wait, s.OnTimeout = saga.Signal, 20*time.Millisecond, saga.TimeoutProceeds
		if turn >= 4 {
			s.OnTimeout = saga.TimeoutParks
		} else if turn >= 2 && reach == saga.Compensatable {
			s.OnTimeout = saga.TimeoutRefuses
		}
		return reach
	}
	s.Kind = saga.Command
	switch {
	case w.def.Mode == saga.TCC:
	case reach != saga.Compensatable || turn == 5:
		reach = saga.Retriable
	case turn == 4:
		reach = saga.Pivot
	}
	s.Type = reach
	return reach
}
