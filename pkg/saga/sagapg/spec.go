package sagapg

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.example/saga/pkg/saga"
)

// spec is the stored form of a definition. It spells everything out and knows no
// defaults: a default that changes must not change a plan that sagas follow. What is
// zero is left out. Fields are named as in the YAML form.
type spec struct {
	Mode     saga.Mode  `json:"mode"`
	Deadline duration   `json:"deadline,omitzero"`
	Webhooks []string   `json:"webhooks,omitzero"`
	Steps    []specStep `json:"steps"`
}

type specStep struct {
	Name        string          `json:"name"`
	Kind        saga.StepKind   `json:"kind"`
	Type        saga.StepType   `json:"type,omitzero"`
	Group       string          `json:"group,omitzero"`
	When        saga.Condition  `json:"when,omitzero"`
	Destination string          `json:"destination,omitzero"`
	URL         string          `json:"url,omitzero"`
	Request     specPolicy      `json:"request,omitzero"`
	Confirm     specPolicy      `json:"confirm,omitzero"`
	Cancel      specPolicy      `json:"cancel,omitzero"`
	Send        saga.Projection `json:"send,omitzero"` // an empty one sends nothing, none sends all
	Keep        saga.Projection `json:"keep,omitzero"`
	Wait        duration        `json:"wait,omitzero"`
	OnTimeout   saga.OnTimeout  `json:"on_timeout,omitzero"`
}

type specPolicy struct {
	Timeout  duration  `json:"timeout"`
	RetryFor duration  `json:"retry_for"`
	Retry    specRetry `json:"retry"`
}

type specRetry struct {
	Initial  duration `json:"initial"`
	Factor   float64  `json:"factor"`
	Max      duration `json:"max"`
	Jitter   float64  `json:"jitter"`
	Attempts int      `json:"attempts"`
}

// duration is written as people write it: 1m30s.
type duration time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// encode returns the stored form and its hash.
func encode(def saga.Definition) (text, hash string, err error) {
	s := spec{Mode: def.Mode, Deadline: duration(def.Deadline), Webhooks: def.Webhooks, Steps: make([]specStep, len(def.Steps))}
	for i, step := range def.Steps {
		s.Steps[i] = stepSpec(step)
	}
	b, err := json.Marshal(s)
	if err != nil {
		return "", "", fmt.Errorf("encode definition %s version %d: %w", def.Name, def.Version, err)
	}
	sum := sha256.Sum256(b)
	return string(b), hex.EncodeToString(sum[:]), nil
}

// decode reads the stored form back. A field that this program does not know, or
// a hash that differs, means that it would follow another plan than was stored.
func decode(name string, version int, text, hash string) (saga.Definition, error) {
	def, err := parse(text)
	if err != nil {
		return saga.Definition{}, fmt.Errorf("definition %s version %d: %w: %w", name, version, ErrNotUnderstood, err)
	}
	def.Name, def.Version = name, version
	_, again, err := encode(def)
	if err != nil {
		return saga.Definition{}, err
	}
	if again != hash {
		return saga.Definition{}, fmt.Errorf("definition %s version %d: %w: the plan's hash is %.12s, its row says %.12s",
			name, version, ErrNotUnderstood, again, hash)
	}
	return def, nil
}

// parse reads the stored form, which has neither name nor version.
func parse(text string) (saga.Definition, error) {
	var s spec
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return saga.Definition{}, err
	}
	def := saga.Definition{Mode: s.Mode, Deadline: time.Duration(s.Deadline), Webhooks: s.Webhooks, Steps: make([]saga.StepDefinition, len(s.Steps))}
	for i, step := range s.Steps {
		def.Steps[i] = step.step()
	}
	return def, nil
}

func stepSpec(d saga.StepDefinition) specStep {
	return specStep{
		Name: d.Name, Kind: d.Kind, Type: d.Type, Group: d.Group, When: d.When, Destination: d.Destination, URL: d.URL,
		Request: policySpec(d.Request), Confirm: policySpec(d.Confirm), Cancel: policySpec(d.Cancel),
		Send: d.Send, Keep: d.Keep, Wait: duration(d.Wait), OnTimeout: d.OnTimeout,
	}
}

func (s specStep) step() saga.StepDefinition {
	return saga.StepDefinition{
		Name: s.Name, Kind: s.Kind, Type: s.Type, Group: s.Group, When: s.When, Destination: s.Destination, URL: s.URL,
		Request: s.Request.policy(), Confirm: s.Confirm.policy(), Cancel: s.Cancel.policy(),
		Send: s.Send, Keep: s.Keep, Wait: time.Duration(s.Wait), OnTimeout: s.OnTimeout,
	}
}

func policySpec(p saga.Policy) specPolicy {
	return specPolicy{Timeout: duration(p.Timeout), RetryFor: duration(p.RetryFor), Retry: specRetry{
		Initial: duration(p.Retry.Initial), Factor: p.Retry.Factor, Max: duration(p.Retry.Max),
		Jitter: p.Retry.Jitter, Attempts: p.Retry.Attempts,
	}}
}

func (p specPolicy) policy() saga.Policy {
	return saga.Policy{Timeout: time.Duration(p.Timeout), RetryFor: time.Duration(p.RetryFor), Retry: saga.Retry{
		Initial: time.Duration(p.Retry.Initial), Factor: p.Retry.Factor, Max: time.Duration(p.Retry.Max),
		Jitter: p.Retry.Jitter, Attempts: p.Retry.Attempts,
	}}
}
