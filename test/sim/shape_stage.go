package sim

import "go.example/saga/pkg/saga"

// drawStage draws whether the step runs beside the one before it.
func (w *world) drawStage(i int) {
	if i == 0 {
		return
	}
	w.stage[i] = w.stage[i-1] + 1 // unless it joins that step's stage
	if w.below(2) == 0 || !w.mayJoin(i) {
		return
	}
	w.stage[i]--
	if w.def.Steps[i-1].Group == "" {
		w.def.Steps[i-1].Group = stepNames[i-1]
	}
	w.def.Steps[i].Group = w.def.Steps[i-1].Group
}

// mayJoin says whether all commands of the stage share one fate.
func (w *world) mayJoin(i int) bool {
	s := w.def.Steps[i]
	for j := i - 1; j >= 0 && w.stage[j] == w.stage[i-1]; j-- {
		other := w.def.Steps[j]
		if s.Kind == saga.Command && other.Kind == saga.Command && (s.Type != other.Type || s.Type == saga.Pivot) {
			return false
		}
	}
	return true
}

// drawData draws what the step reads and leaves behind.
func (w *world) drawData(i int) {
	s := &w.def.Steps[i]
	w.needs[i] = need{}
	before := 0 // how many steps are in earlier stages
	for before < i && w.stage[before] < w.stage[i] {
		before++
	}
	condition, send, keep, of := w.below(8), w.below(6), w.below(6), int8(0)
	if before > 0 {
		of = int8(w.below(before))
	}
	switch {
	case condition == 6:
		s.When, w.needs[i] = whenPayload, need{kind: byPayload}
	case condition == 7 && before > 0:
		s.When, w.needs[i] = whenOutput[of], need{kind: byOutput, of: of}
	}
	if s.Kind == saga.Delay {
		return
	}
	switch keep {
	case 4:
		s.Keep = keepNumber
	case 5:
		s.Keep = keepNothing
	}
	switch {
	case s.Kind != saga.Command:
	case send == 4:
		s.Send = sendPayload
	case send == 5 && before > 0:
		s.Send = sendOutput[of]
	}
}
