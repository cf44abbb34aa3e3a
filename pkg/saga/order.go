package saga

// NextSagaStep returns the step to request next: the first that was never sent.
// It returns false when there is none left, which completes the saga.
func NextSagaStep(steps []StepState) (name string, ok bool) {
	for _, s := range steps {
		if s.Status == StepPending {
			return s.Name, true
		}
	}
	return "", false
}

// PrevSagaStep returns the step to compensate next: the last that may be in
// effect. A step that never ran, was refused or is compensated already is passed
// over. It returns false when there is none left, which ends the abort.
func PrevSagaStep(steps []StepState) (name string, ok bool) {
	for i := len(steps) - 1; i >= 0; i-- {
		switch steps[i].Status {
		case StepStarted, StepSucceeded, StepSkipped, StepCompensating:
			return steps[i].Name, true
		case StepPending, StepFailed, StepCompensated:
		}
	}
	return "", false
}
