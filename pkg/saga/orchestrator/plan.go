package orchestrator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// ErrOutdated: the token is not of this plan, or the sagas have changed since it was
// given out.
var ErrOutdated = errors.New("the token does not fit")

// Plan is what an operator's event would be applied to. Its token stands for the event,
// the selection and the sagas that it found, so that nothing is done to other sagas than
// those that somebody has seen.
type Plan struct {
	IDs   []saga.ID
	Token string
	event saga.Event
}

// Plan finds the sagas of the selection that have not ended.
func (e *Engine) Plan(ctx context.Context, which sagapg.Selection, event saga.Event) (Plan, error) {
	if err := checkEvent(event); err != nil {
		return Plan{}, err
	}
	which.Running = true
	ids, err := e.Store.Find(ctx, e.DB, which)
	if err != nil {
		return Plan{}, err
	}
	intent, err := digestIntent(which, event)
	if err != nil {
		return Plan{}, err
	}
	return Plan{IDs: ids, Token: fmt.Sprintf("%d-%s-%s", len(ids), intent, digestIDs(ids)), event: event}, nil
}

// Carry tells the plan's sagas the event if the token is this plan's, else it fails with
// [ErrOutdated] and has done nothing. See [Engine.ActAll].
func (e *Engine) Carry(ctx context.Context, plan Plan, token string, progress func(Tally)) (Tally, error) {
	if err := plan.compare(token); err != nil {
		return Tally{}, err
	}
	return e.ActAll(ctx, plan.IDs, plan.event, progress)
}

// compare says how the given token differs from the plan's.
func (p Plan) compare(token string) error {
	if token == p.Token {
		return nil
	}
	given, own := strings.Split(token, "-"), strings.Split(p.Token, "-")
	const again = "nothing was done, look at them again without the token"
	count, err := strconv.Atoi(given[0])
	switch {
	case len(given) != len(own) || err != nil:
		return fmt.Errorf("%w: it is not one that was given out; %s", ErrOutdated, again)
	case given[1] != own[1]:
		return fmt.Errorf("%w: it was given out for another verb, step, output or filter; %s", ErrOutdated, again)
	case count != len(p.IDs):
		return fmt.Errorf("%w: %d sagas matched then and %d match now; %s", ErrOutdated, count, len(p.IDs), again)
	}
	return fmt.Errorf("%w: %d sagas match now as then, but other ones; %s", ErrOutdated, count, again)
}

// digestBytes is as much as tells one plan from another; nobody forges one against himself.
const digestBytes = 6

// digestIntent leaves out who acts and why: that may differ between looking and doing.
func digestIntent(which sagapg.Selection, event saga.Event) (string, error) {
	intent := struct {
		Kind      string
		Verb      saga.Verb
		Step      string
		Refused   bool
		Output    jsonmap.JSONMap
		Selection sagapg.Selection
	}{Kind: fmt.Sprintf("%T", event), Selection: which}
	switch e := event.(type) {
	case saga.Action:
		intent.Verb, intent.Step, intent.Output = e.Verb, e.Step, e.Output
	case saga.Signalled:
		intent.Step, intent.Refused, intent.Output = e.Step, e.Refused, e.Output
	}
	text, err := json.Marshal(intent)
	if err != nil {
		return "", fmt.Errorf("digest the plan: %w", err)
	}
	return digest(text), nil
}

func digestIDs(ids []saga.ID) string {
	var all []byte
	for _, id := range ids {
		all = append(all, id[:]...)
	}
	return digest(all)
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:digestBytes])
}
