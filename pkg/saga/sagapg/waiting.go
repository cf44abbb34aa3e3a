package sagapg

import (
	"time"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
)

// waiting is what the column of that name holds of one step; what is zero is left
// out. The operation is for people: it follows from the step's status.
type waiting struct {
	Operation saga.Operation  `json:"operation,omitempty"`
	Attempt   int             `json:"attempt,omitempty"`
	WakeAt    time.Time       `json:"wake_at,omitzero"`
	Park      saga.ParkReason `json:"park,omitempty"`
	Retried   retried         `json:"retried,omitzero"`
	Held      held            `json:"held,omitzero"`
}

// held is saga.Held as the column holds it.
type held struct {
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// retried is saga.Retried as the column holds it.
type retried struct {
	Times   int      `json:"times"`
	For     duration `json:"for"`
	Attempt int      `json:"attempt"`
}

// toWaiting lists what the saga waits for, and the names of the steps in order. One
// that has ended waits for nothing, although in a killed one steps stay as they stood.
func toWaiting(s saga.State) (waits map[string]waiting, names []string) {
	waits = map[string]waiting{}
	if s.Status.Terminal() {
		return waits, nil
	}
	for _, step := range s.Steps {
		w := waiting{
			Operation: step.Operation(), Attempt: step.Attempt, Park: step.Park,
			Retried: retried{Times: step.Retried.Times, For: duration(step.Retried.For), Attempt: step.Retried.Attempt},
		}
		if step.Held.Reason != "" {
			w.Held = held{Reason: step.Held.Reason, Since: stamp(step.Held.Since)}
		}
		if !step.WakeAt.IsZero() {
			w.WakeAt = stamp(step.WakeAt)
		}
		if w != (waiting{}) {
			waits[step.Name] = w
			names = append(names, step.Name)
		}
	}
	return waits, names
}

// signal is saga.Signalled as the column holds it, under its step's name.
type signal struct {
	Refused bool            `json:"refused,omitempty"`
	Output  jsonmap.JSONMap `json:"output,omitempty"`
	Reason  string          `json:"reason,omitempty"`
	Who     string          `json:"who,omitempty"`
}

func toSignals(kept map[string]saga.Signalled) map[string]signal {
	signals := make(map[string]signal, len(kept))
	for step, s := range kept {
		signals[step] = signal{Refused: s.Refused, Output: s.Output, Reason: s.Reason, Who: s.Who}
	}
	return signals
}

func fromSignals(signals map[string]signal) map[string]saga.Signalled {
	if len(signals) == 0 {
		return nil
	}
	kept := make(map[string]saga.Signalled, len(signals))
	for step, s := range signals {
		kept[step] = saga.Signalled{Step: step, Refused: s.Refused, Output: s.Output, Reason: s.Reason, Who: s.Who}
	}
	return kept
}
