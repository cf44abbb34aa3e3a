package admin

import (
	"context"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"go.uber.org/zap"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	engine "go.example/saga/pkg/saga/orchestrator"
)

// Words are what every intervention is signed with.
type Words struct {
	Who    string          `json:"who" minLength:"1" maxLength:"255" doc:"Who does it; kept in the history." example:"grace"`
	Reason string          `json:"reason,omitempty" maxLength:"1000" doc:"Why; kept in the history. Skip, abort and kill need it."`
	Output jsonmap.JSONMap `json:"output,omitempty" doc:"Becomes the step's output: of skip and of a signal."`
}

type action struct {
	Words

	Verb string `json:"verb" enum:"retry,skip,abort,kill,pause,resume"`
	Step string `json:"step,omitempty" maxLength:"255" doc:"The step that retry and skip are about, where several are waited for."`
}

func (a action) event() saga.Event {
	return saga.Action{Verb: saga.Verb(a.Verb), Step: a.Step, Who: a.Who, Reason: a.Reason, Output: a.Output}
}

type signal struct {
	Words

	Step   string `json:"step" minLength:"1" maxLength:"255" doc:"The signal step."`
	Refuse bool   `json:"refuse,omitempty" doc:"Say no: the saga goes back."`
}

func (s signal) event() saga.Event {
	return saga.Signalled{Step: s.Step, Refused: s.Refuse, Output: s.Output, Reason: s.Reason, Who: s.Who}
}

type actInput struct {
	SagaInput

	Body action
}

type signalInput struct {
	SagaInput

	Body signal
}

type toldOutput struct {
	Body struct {
		ID      string      `json:"id"`
		Status  saga.Status `json:"status" doc:"Where the saga stands now."`
		Detail  string      `json:"detail" doc:"What became of it."`
		Version int64       `json:"version" doc:"Number of entries in its history."`
	}
}

func (a api) act(ctx context.Context, in *actInput) (*toldOutput, error) {
	return a.tell(ctx, in.ID, in.Body.event(), in.Body.Verb, in.Body.Who)
}

func (a api) signal(ctx context.Context, in *signalInput) (*toldOutput, error) {
	return a.tell(ctx, in.ID, in.Body.event(), string(saga.KindSignal), in.Body.Who)
}

func (a api) tell(ctx context.Context, text string, event saga.Event, what, who string) (*toldOutput, error) {
	id, err := idOf(text, "path.id")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	t, err := a.engine.Act(ctx, id, event)
	if err != nil {
		return nil, a.problem(err)
	}
	a.log.Info("an operator acted on a saga", zap.Stringer("saga", uuid.UUID(id)), zap.String("verb", what),
		zap.String("who", who), zap.String("disposition", string(t.Entry.Disposition)), zap.String("status", string(t.Next.Status)))
	if !engine.TookEffect(t.Entry) {
		return nil, huma.Error409Conflict("the saga is " + string(t.Next.Status) + " and did not take it: " + t.Entry.Detail)
	}
	out := &toldOutput{}
	out.Body.ID, out.Body.Status, out.Body.Detail, out.Body.Version = uuid.UUID(id).String(), t.Next.Status, t.Entry.Detail, t.Next.Version
	return out, nil
}
