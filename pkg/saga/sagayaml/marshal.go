package sagayaml

import (
	"fmt"
	"time"

	"github.com/goccy/go-yaml"

	"go.example/saga/pkg/saga"
)

// The YAML form as it is written. Pointers tell what is left out from what is empty.
type (
	definition struct {
		Name     string        `yaml:"name"`
		Version  int           `yaml:"version"`
		Mode     saga.Mode     `yaml:"mode"`
		Deadline time.Duration `yaml:"deadline,omitempty"`
		Webhooks []string      `yaml:"webhooks,omitempty"`
		Steps    []any         `yaml:"steps"` // of *group and *step
	}
	group struct {
		Parallel string  `yaml:"parallel"`
		Steps    []*step `yaml:"steps"`
	}
	step struct {
		Name        string         `yaml:"name"`
		Kind        saga.StepKind  `yaml:"kind"`
		Type        saga.StepType  `yaml:"type,omitempty"`
		When        any            `yaml:"when,omitempty"`
		Wait        time.Duration  `yaml:"wait,omitempty"`
		OnTimeout   saga.OnTimeout `yaml:"on_timeout,omitempty"`
		Destination string         `yaml:"destination,omitempty"`
		Transport   string         `yaml:"transport,omitempty"`
		URL         string         `yaml:"url,omitempty"`
		Send        *map[any]any   `yaml:"send,omitempty"`
		Keep        *map[any]any   `yaml:"keep,omitempty"`
		Request     *policy        `yaml:"request,omitempty"`
		Confirm     *policy        `yaml:"confirm,omitempty"`
		Cancel      *policy        `yaml:"cancel,omitempty"`
	}
	policy struct {
		Timeout  time.Duration `yaml:"timeout"`
		RetryFor time.Duration `yaml:"retry_for"`
		Retry    retry         `yaml:"retry"`
	}
	retry struct {
		Initial  time.Duration `yaml:"initial"`
		Factor   float64       `yaml:"factor"`
		Max      time.Duration `yaml:"max"`
		Jitter   float64       `yaml:"jitter"`
		Attempts int           `yaml:"attempts"`
	}
)

// Marshal writes the definition with every default spelled out. Parse of the
// text gives the same definition.
func Marshal(def saga.Definition) ([]byte, error) {
	doc := definition{Name: def.Name, Version: def.Version, Mode: def.Mode, Deadline: def.Deadline, Webhooks: def.Webhooks}
	var last *group
	for _, s := range def.Steps {
		switch {
		case s.Group == "":
			doc.Steps, last = append(doc.Steps, spellStep(s, def.Mode)), nil
			continue
		case last == nil || last.Parallel != s.Group:
			last = &group{Parallel: s.Group}
			doc.Steps = append(doc.Steps, last)
		}
		last.Steps = append(last.Steps, spellStep(s, def.Mode))
	}
	text, err := yaml.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("write saga definition %s version %d: %w", def.Name, def.Version, err)
	}
	return text, nil
}

func spellStep(s saga.StepDefinition, mode saga.Mode) *step {
	written := &step{
		Name: s.Name, Kind: s.Kind, Wait: s.Wait, OnTimeout: s.OnTimeout,
		Send: spellProjection(s.Send), Keep: spellProjection(s.Keep),
	}
	if s.When != "" {
		written.When = spellLines(string(s.When))
	}
	if s.Kind != saga.Command {
		return written
	}
	written.Type, written.Destination, written.Request = s.Type, s.Destination, spellPolicy(s.Request)
	if s.URL != "" {
		written.Transport, written.URL = transportHTTP, s.URL
	}
	if s.Type == saga.Compensatable {
		written.Cancel = spellPolicy(s.Cancel)
	}
	if mode == saga.TCC {
		written.Confirm = spellPolicy(s.Confirm)
	}
	return written
}

func spellProjection(p saga.Projection) *map[any]any {
	if p == nil {
		return nil
	}
	object := make(map[any]any, len(p))
	for name, pointer := range p {
		object[spell(name)] = spell(pointer)
	}
	return &object
}

func spellPolicy(p saga.Policy) *policy {
	return &policy{Timeout: p.Timeout, RetryFor: p.RetryFor, Retry: retry{
		Initial: p.Retry.Initial, Factor: p.Retry.Factor, Max: p.Retry.Max,
		Jitter: p.Retry.Jitter, Attempts: p.Retry.Attempts,
	}}
}
