package saga

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// MigrateTo moves a running saga from one version of its definition to another, as
// an operator's action. It changes the plan for what has not begun and nothing else,
// and fails where the new version tells another past: the error says why, and the
// saga keeps its version.
func MigrateTo(from, to Definition, s State, who string, now time.Time) (Transition, error) {
	steps, err := from.remap(to, s)
	if err != nil {
		return Transition{}, fmt.Errorf("saga of %s version %d does not fit version %d: %w", from.Name, from.Version, to.Version, err)
	}
	m := machine{def: to, s: s, now: now}
	m.s.Steps, m.s.DefinitionVersion = steps, to.Version
	m.entry = HistoryEntry{
		Kind: KindMigrate, Who: who, From: s.Status, Disposition: Advanced,
		Detail: fmt.Sprintf("from version %d to version %d", from.Version, to.Version),
	}
	m.proceed() // a step that has just become the next one
	return m.end(), nil
}

// remap places the saga's steps in the other version.
func (d Definition) remap(to Definition, s State) ([]StepState, error) {
	switch {
	case !d.plans(s):
		return nil, fmt.Errorf("it follows %s version %d", s.Type, s.DefinitionVersion)
	case s.Status.Terminal():
		return nil, fmt.Errorf("it is %s", s.Status)
	case to.Name != d.Name || to.Version == d.Version:
		return nil, fmt.Errorf("%s version %d is no other version", to.Name, to.Version)
	case to.Mode != d.Mode:
		return nil, fmt.Errorf("its mode is %s and not %s", d.Mode, to.Mode)
	}
	steps := make([]StepState, len(to.Steps))
	for i, step := range to.Steps {
		steps[i] = StepState{Name: step.Name}
		if _, kept := s.Signals[step.Name]; kept && step.Kind != Signal {
			return nil, fmt.Errorf("a signal is kept for step %q, which waits for none", step.Name)
		}
	}
	last := -1 // where the begun step before this one stands in the new version
	for i, step := range s.Steps {
		if step.Status == StepPending && step.Park == "" {
			continue
		}
		j := slices.IndexFunc(to.Steps, func(t StepDefinition) bool { return t.Name == step.Name })
		if j < 0 {
			return nil, fmt.Errorf("step %q has begun and is not in it", step.Name)
		}
		if err := d.Steps[i].keeps(to.Steps[j], step); err != nil {
			return nil, err
		}
		if d.Steps[d.stageOf(i)].Name != to.Steps[to.stageOf(j)].Name {
			return nil, fmt.Errorf("step %q has begun in another stage", step.Name)
		}
		if j < last {
			return nil, fmt.Errorf("step %q has begun after %q and now stands before it", step.Name, to.Steps[last].Name)
		}
		steps[j], last = step, j
	}
	return steps, to.noGap(steps, last)
}

// keeps says whether a step that has begun is still the same one.
func (d StepDefinition) keeps(to StepDefinition, s StepState) error {
	switch {
	case d.Kind != to.Kind || d.Type != to.Type:
		return fmt.Errorf("step %q has begun as a %s %s and is a %s %s now", d.Name, d.Type, d.Kind, to.Type, to.Kind)
	case s.Operation() != "" && (d.Destination != to.Destination || d.URL != to.URL || !maps.Equal(d.Send, to.Send) || (d.Send == nil) != (to.Send == nil)):
		return fmt.Errorf("step %q is under way and would be sent elsewhere or otherwise", d.Name)
	}
	return nil
}

// noGap holds that nothing new stands in front of what has begun: it would be begun
// after what was to follow it.
func (d Definition) noGap(steps []StepState, last int) error {
	confirming := slices.ContainsFunc(steps, func(s StepState) bool {
		return s.Status == StepConfirming || s.Status == StepConfirmed
	})
	for i, s := range steps {
		switch {
		case s.Status != StepPending || s.Park != "":
		case last >= 0 && i < d.stageOf(last):
			return fmt.Errorf("step %q has not begun and stands before %q, which has", s.Name, steps[last].Name)
		case confirming:
			return fmt.Errorf("step %q has not begun, and the others are being confirmed", s.Name)
		}
	}
	return nil
}
