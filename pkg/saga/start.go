package saga

import (
	"fmt"
	"time"

	"go.example/saga/pkg/jsonmap"
)

// StartParams is what distinguishes one saga of a definition from another.
type StartParams struct {
	ID ID
	// BusinessKey makes starting idempotent together with the definition's name;
	// empty means none.
	BusinessKey string
	Payload     jsonmap.JSONMap
	// Webhooks are told when this saga ends, besides those of the definition.
	Webhooks []string
}

// Start begins a saga: the first state, the first commands, the first history
// entry. It fails only on a definition that [Definition.Validate] refuses.
func Start(def Definition, p StartParams, now time.Time) (Transition, error) {
	if err := def.Validate(); err != nil {
		return Transition{}, fmt.Errorf("start saga: %w", err)
	}
	if err := CheckWebhooks(p.Webhooks); err != nil {
		return Transition{}, fmt.Errorf("start saga: %w", err)
	}
	steps := make([]StepState, len(def.Steps))
	for i, s := range def.Steps {
		steps[i] = StepState{Name: s.Name}
	}
	m := machine{def: def, now: now, s: State{
		ID: p.ID, Type: def.Name, DefinitionVersion: def.Version, BusinessKey: p.BusinessKey,
		Status: StatusStarted, Steps: steps, Payload: p.Payload, Webhooks: p.Webhooks,
		StartedAt: now,
	}}
	if def.Deadline > 0 {
		m.s.Deadline = now.Add(def.Deadline)
	}
	m.entry = HistoryEntry{Kind: KindStart, Disposition: Advanced, Detail: "started"}
	m.proceed()
	return m.end(), nil
}
