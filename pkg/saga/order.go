package saga

// NextSagaStep returns the steps to begin next: those of the first stage that is
// not through and that were never begun. There are none while those under way are
// waited for. left is false when every stage is through.
func NextSagaStep(def Definition, steps []StepState) (next []string, left bool) {
	for _, stage := range def.stages() {
		through := true
		for _, s := range steps[stage[0]:stage[1]] {
			switch s.Status {
			case StepPending:
				next = append(next, s.Name)
				through = false
			case StepStarted, StepFailed, StepCompensating, StepCompensated:
				through = false
			case StepSucceeded, StepConfirming, StepConfirmed, StepSkipped, StepOmitted:
			}
		}
		if !through {
			return next, true
		}
	}
	return nil, false
}

// PrevSagaStep returns the steps to compensate next, the last first: those of the
// last stage with any that may be in effect. There are none while compensations
// under way are waited for. A step that never ran, was refused or is compensated
// already is passed over. left is false when nothing is in effect any more.
func PrevSagaStep(def Definition, steps []StepState) (prev []string, left bool) {
	stages := def.stages()
	for i := len(stages) - 1; i >= 0; i-- {
		for j := stages[i][1] - 1; j >= stages[i][0]; j-- {
			switch steps[j].Status {
			case StepStarted, StepSucceeded, StepConfirming, StepConfirmed, StepSkipped:
				prev = append(prev, steps[j].Name)
				left = true
			case StepCompensating:
				left = true
			case StepPending, StepFailed, StepCompensated, StepOmitted:
			}
		}
		if left {
			return prev, true
		}
	}
	return nil, false
}
