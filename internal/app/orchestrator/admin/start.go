package admin

import (
	"context"
	"net/http"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga/sagapg"
)

type startInput struct {
	Body struct {
		Type        string          `json:"type" minLength:"1" maxLength:"255" doc:"The definition's name; its latest version is started." example:"room-reservation"`
		BusinessKey string          `json:"businessKey" minLength:"1" maxLength:"255" doc:"Names the saga among those of its type: asked for twice, it is started once." example:"R-4711"`
		Payload     jsonmap.JSONMap `json:"payload,omitempty" doc:"What the saga is started with. No secrets: every participant and listener sees it."`
		Webhooks    []string        `json:"webhooks,omitempty" maxItems:"10" doc:"Webhooks that are told when the saga ends, besides those of the definition: their names."`
	}
}

type startOutput struct {
	Status int
	Body   struct {
		ID      string `json:"id"`
		Started bool   `json:"started" doc:"Whether it was this request that started it."`
	}
}

func (a api) start(ctx context.Context, in *startInput) (*startOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	id, started, err := a.engine.Start(ctx, in.Body.Type, sagapg.StartRequest{BusinessKey: in.Body.BusinessKey, Payload: in.Body.Payload, Webhooks: in.Body.Webhooks})
	if err != nil {
		return nil, a.problem(err)
	}
	out := &startOutput{Status: http.StatusOK}
	if started {
		out.Status = http.StatusCreated
		a.log.Info("a saga was started", zap.Stringer("saga", uuid.UUID(id)), zap.String("type", in.Body.Type))
	}
	out.Body.ID, out.Body.Started = uuid.UUID(id).String(), started
	return out, nil
}
