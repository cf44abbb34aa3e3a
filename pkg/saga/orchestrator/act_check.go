package orchestrator

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// ErrEvent: what was to be applied cannot be kept in a saga's history.
var ErrEvent = errors.New("not an event that an operator can send")

// Bounds of what an operator may say. The output's leaves room for what the saga
// carries already.
const (
	maxReason = 1000
	maxOutput = 64 << 10
)

// Verbs are what an operator can tell a saga.
var Verbs = []saga.Verb{saga.RetryNow, saga.Skip, saga.Abort, saga.Kill, saga.Pause, saga.Resume}

// checkEvent refuses what the tables would refuse, and an intervention without a name.
func checkEvent(event saga.Event) error {
	var err error
	switch e := event.(type) {
	case saga.Action:
		if !slices.Contains(Verbs, e.Verb) {
			return fmt.Errorf("%w: the verb is none of %v", ErrEvent, Verbs)
		}
		err = checkAction(e)
	case saga.Signalled:
		if e.Step == "" {
			return fmt.Errorf("%w: step is missing", ErrEvent)
		}
		err = checkWords(e.Who, e.Step, e.Reason, e.Output)
	default:
		return fmt.Errorf("%w: it is %T", ErrEvent, event)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEvent, err)
	}
	return nil
}

// checkAction refuses what would be passed over in silence.
func checkAction(a saga.Action) error {
	switch {
	case a.Step != "" && a.Verb != saga.RetryNow && a.Verb != saga.Skip:
		return fmt.Errorf("%s is about the whole saga: leave the step out", a.Verb)
	case len(a.Output) > 0 && a.Verb != saga.Skip:
		return fmt.Errorf("%s brings no output: leave it out", a.Verb)
	}
	return checkWords(a.Who, a.Step, a.Reason, a.Output)
}

func checkWords(who, step, reason string, output jsonmap.JSONMap) error {
	if who == "" {
		return errors.New("who it was is missing")
	}
	for _, text := range []struct {
		field, value string
		most         int
	}{{"who", who, protocol.MaxText}, {"step", step, protocol.MaxText}, {"reason", reason, maxReason}} {
		switch {
		case len(text.value) > text.most:
			return fmt.Errorf("%s has %d bytes, at most %d are allowed", text.field, len(text.value), text.most)
		case !jsonmap.Storable(text.value):
			return fmt.Errorf("%s is not UTF-8 text, or has the character U+0000", text.field)
		}
	}
	written, err := json.Marshal(output)
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if len(written) > maxOutput {
		return fmt.Errorf("output has %d bytes, at most %d are allowed", len(written), maxOutput)
	}
	return nil
}
