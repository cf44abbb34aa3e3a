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
// defaults: a default that changes must not change a plan that sagas follow.
// Fields are named as in the YAML form.
type spec struct {
	ReplyTo string     `json:"reply_to"`
	Steps   []specStep `json:"steps"`
}

type specStep struct {
	Name        string     `json:"name"`
	Type        string     `json:"type"`
	Destination string     `json:"destination"`
	Request     specPolicy `json:"request"`
	Cancel      specPolicy `json:"cancel"`
}

type specPolicy struct {
	Timeout duration  `json:"timeout"`
	Retry   specRetry `json:"retry"`
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
	s := spec{ReplyTo: def.ReplyTo, Steps: make([]specStep, len(def.Steps))}
	for i, step := range def.Steps {
		s.Steps[i] = specStep{
			Name: step.Name, Type: string(step.Type), Destination: step.Destination,
			Request: policySpec(step.Request), Cancel: policySpec(step.Cancel),
		}
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
	def := saga.Definition{ReplyTo: s.ReplyTo, Steps: make([]saga.StepDefinition, len(s.Steps))}
	for i, step := range s.Steps {
		def.Steps[i] = saga.StepDefinition{
			Name: step.Name, Type: saga.StepType(step.Type), Destination: step.Destination,
			Request: step.Request.policy(), Cancel: step.Cancel.policy(),
		}
	}
	return def, nil
}

func policySpec(p saga.Policy) specPolicy {
	return specPolicy{Timeout: duration(p.Timeout), Retry: specRetry{
		Initial: duration(p.Retry.Initial), Factor: p.Retry.Factor, Max: duration(p.Retry.Max),
		Jitter: p.Retry.Jitter, Attempts: p.Retry.Attempts,
	}}
}

func (p specPolicy) policy() saga.Policy {
	return saga.Policy{Timeout: time.Duration(p.Timeout), Retry: saga.Retry{
		Initial: time.Duration(p.Retry.Initial), Factor: p.Retry.Factor, Max: time.Duration(p.Retry.Max),
		Jitter: p.Retry.Jitter, Attempts: p.Retry.Attempts,
	}}
}
