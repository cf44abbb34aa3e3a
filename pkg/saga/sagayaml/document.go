package sagayaml

import (
	"fmt"
	"time"

	"github.com/goccy/go-yaml"

	"go.example/saga/pkg/saga"
)

// Defaults of what a definition may leave out. A compensation is given far more
// patience than a request: it has to succeed in the end.
var (
	DefaultReplyTo = "saga.replies"
	DefaultRequest = saga.Policy{
		Timeout: 30 * time.Second,
		Retry:   saga.Retry{Initial: time.Second, Factor: 2, Max: 30 * time.Second, Jitter: 0.2, Attempts: 5},
	}
	DefaultCancel = saga.Policy{
		Timeout: 30 * time.Second,
		Retry:   saga.Retry{Initial: time.Second, Factor: 2, Max: 5 * time.Minute, Jitter: 0.2, Attempts: 20},
	}
)

// definition is the YAML form. Pointers tell what was left out from zero.
type definition struct {
	Name    string `yaml:"name"`
	Version int    `yaml:"version"`
	ReplyTo string `yaml:"reply_to,omitempty"`
	Steps   []step `yaml:"steps"`
}

type step struct {
	Name        string  `yaml:"name"`
	Type        string  `yaml:"type,omitempty"`
	Destination string  `yaml:"destination,omitempty"`
	Request     *policy `yaml:"request,omitempty"`
	Cancel      *policy `yaml:"cancel,omitempty"`
}

type policy struct {
	Timeout *time.Duration `yaml:"timeout,omitempty"`
	Retry   *retry         `yaml:"retry,omitempty"`
}

type retry struct {
	Initial  *time.Duration `yaml:"initial,omitempty"`
	Factor   *float64       `yaml:"factor,omitempty"`
	Max      *time.Duration `yaml:"max,omitempty"`
	Jitter   *float64       `yaml:"jitter,omitempty"`
	Attempts *int           `yaml:"attempts,omitempty"`
}

func (d definition) build() saga.Definition {
	def := saga.Definition{Name: d.Name, Version: d.Version, ReplyTo: or(d.ReplyTo, DefaultReplyTo)}
	for _, s := range d.Steps {
		built := saga.StepDefinition{
			Name:        s.Name,
			Type:        saga.StepType(or(s.Type, string(saga.Compensatable))),
			Destination: or(s.Destination, s.Name),
			Request:     s.Request.over(DefaultRequest),
		}
		// A step that can never be cancelled has no rules for it.
		if built.Type == saga.Compensatable {
			built.Cancel = s.Cancel.over(DefaultCancel)
		}
		def.Steps = append(def.Steps, built)
	}
	return def
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// over lays what was written over the defaults.
func (p *policy) over(base saga.Policy) saga.Policy {
	if p == nil {
		return base
	}
	set(&base.Timeout, p.Timeout)
	if r := p.Retry; r != nil {
		set(&base.Retry.Initial, r.Initial)
		set(&base.Retry.Factor, r.Factor)
		set(&base.Retry.Max, r.Max)
		set(&base.Retry.Jitter, r.Jitter)
		set(&base.Retry.Attempts, r.Attempts)
	}
	return base
}

func set[T any](into *T, from *T) {
	if from != nil {
		*into = *from
	}
}

// Marshal writes the definition with every default spelled out. Parse of the
// text gives the same definition.
func Marshal(def saga.Definition) ([]byte, error) {
	doc := definition{Name: def.Name, Version: def.Version, ReplyTo: def.ReplyTo}
	for _, s := range def.Steps {
		written := step{Name: s.Name, Type: string(s.Type), Destination: s.Destination, Request: spell(s.Request)}
		if s.Type == saga.Compensatable {
			written.Cancel = spell(s.Cancel)
		}
		doc.Steps = append(doc.Steps, written)
	}
	text, err := yaml.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("write saga definition %s version %d: %w", def.Name, def.Version, err)
	}
	return text, nil
}

func spell(p saga.Policy) *policy {
	return &policy{Timeout: &p.Timeout, Retry: &retry{
		Initial: &p.Retry.Initial, Factor: &p.Retry.Factor, Max: &p.Retry.Max,
		Jitter: &p.Retry.Jitter, Attempts: &p.Retry.Attempts,
	}}
}
