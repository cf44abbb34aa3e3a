package admin

import (
	"context"

	"github.com/danielgtaylor/huma/v2"
	"go.uber.org/zap"

	"go.example/saga/pkg/saga"
	engine "go.example/saga/pkg/saga/orchestrator"
	"go.example/saga/pkg/saga/sagapg"
)

// shown is how many of the sagas a dry run shows.
const shown = 10

type bulkInput struct {
	Body struct {
		Words

		Verb      string    `json:"verb" enum:"retry,skip,abort,kill,pause,resume,signal"`
		Step      string    `json:"step,omitempty" maxLength:"255" doc:"The step that retry, skip and signal are about."`
		Refuse    bool      `json:"refuse,omitempty" doc:"With signal: say no."`
		Selection Selection `json:"selection" doc:"Which sagas; those that have ended are left out."`
		Token     string    `json:"token,omitempty" maxLength:"100" doc:"Do it to the sagas that were shown with this token."`
	}
}

type bulkOutput struct {
	Body struct {
		Matching int               `json:"matching" doc:"How many sagas match, at most the limit."`
		Token    string            `json:"token,omitempty" doc:"Of a dry run: give it to do it."`
		First    []sagapg.Overview `json:"first,omitempty" doc:"Of a dry run: the first ones."`
		Told     *engine.Tally     `json:"told,omitempty" doc:"What became of it; absent in a dry run."`
	}
}

func (in *bulkInput) event() saga.Event {
	b := in.Body
	if b.Verb == string(saga.KindSignal) {
		return signal{Words: b.Words, Step: b.Step, Refuse: b.Refuse}.event()
	}
	return action{Words: b.Words, Verb: b.Verb, Step: b.Step}.event()
}

func (a api) bulk(ctx context.Context, in *bulkInput) (*bulkOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, bulkTime)
	defer cancel()
	plan, err := a.engine.Plan(ctx, in.Body.Selection.of(), in.event())
	if err != nil {
		return nil, a.problem(err)
	}
	out := &bulkOutput{}
	out.Body.Matching = len(plan.IDs)
	if in.Body.Token == "" {
		out.Body.Token = plan.Token
		if out.Body.First, err = a.engine.Store.Overviews(ctx, a.engine.DB, plan.IDs[:min(shown, len(plan.IDs))]); err != nil {
			return nil, a.problem(err)
		}
		return out, nil
	}
	tally, err := a.engine.Carry(ctx, plan, in.Body.Token, func(engine.Tally) {})
	if told := tally.Told(); told > 0 {
		a.log.Info("an operator acted on sagas", zap.String("verb", in.Body.Verb), zap.String("who", in.Body.Who),
			zap.Int("matching", len(plan.IDs)), zap.Int("told", told), zap.Int("done", tally.Done), zap.Error(err))
		if err != nil {
			return nil, huma.Error503ServiceUnavailable("it was stopped before all were told; what was done stays, look at them again without the token")
		}
	}
	if err != nil {
		return nil, a.problem(err)
	}
	out.Body.Told = &tally
	return out, nil
}
