package admin

import (
	"context"
	"encoding/json"
	"fmt"

	"go.example/saga/internal/app/redact"
	"go.example/saga/pkg/saga/sagapg"
)

type listInput struct {
	Selection

	After string `query:"after" doc:"Go on after this id: next of the page before."`
}

type listOutput struct {
	Body struct {
		Sagas []sagapg.Overview `json:"sagas"`
		Next  string            `json:"next,omitempty" doc:"Where the next page begins, if there is one: give it as after."`
	}
}

func (a api) list(ctx context.Context, in *listInput) (*listOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	which := in.of()
	if in.After != "" {
		var err error
		if which.Below, err = idOf(in.After, "query.after"); err != nil {
			return nil, err
		}
	}
	ids, err := a.engine.Store.Find(ctx, a.engine.DB, which)
	if err != nil {
		return nil, a.problem(err)
	}
	out := &listOutput{}
	if out.Body.Sagas, err = a.engine.Store.Overviews(ctx, a.engine.DB, ids); err != nil {
		return nil, a.problem(err)
	}
	if n := len(out.Body.Sagas); n == which.Limit {
		out.Body.Next = out.Body.Sagas[n-1].ID
	}
	return out, nil
}

// SagaInput names one saga.
type SagaInput struct {
	ID string `path:"id" doc:"The saga's id, a UUID." example:"0193c0de-0000-7000-8000-000000000001"`
}

type showInput struct {
	SagaInput

	Reveal bool `query:"reveal" doc:"Show secrets and card data, too."`
}

type showOutput struct {
	Body struct {
		sagapg.Overview

		Payload json.RawMessage `json:"payload"`
		Outputs json.RawMessage `json:"outputs"`
	}
}

func (a api) show(ctx context.Context, in *showInput) (*showOutput, error) {
	story, err := a.story(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &showOutput{}
	out.Body.Overview, out.Body.Payload, out.Body.Outputs = story.Overview, story.Payload, story.Outputs
	if in.Reveal {
		return out, nil
	}
	for _, part := range []*json.RawMessage{&out.Body.Payload, &out.Body.Outputs} {
		if *part, err = redact.JSON(*part); err != nil {
			return nil, a.problem(fmt.Errorf("saga %s: %w", story.ID, err))
		}
	}
	return out, nil
}

type timelineOutput struct {
	Body struct {
		Timeline []sagapg.Moment `json:"timeline"`
	}
}

func (a api) timeline(ctx context.Context, in *SagaInput) (*timelineOutput, error) {
	story, err := a.story(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &timelineOutput{}
	out.Body.Timeline = story.Timeline
	return out, nil
}

func (a api) story(ctx context.Context, text string) (sagapg.Story, error) {
	id, err := idOf(text, "path.id")
	if err != nil {
		return sagapg.Story{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	story, err := a.engine.Store.Show(ctx, a.engine.DB, id)
	if err != nil {
		return sagapg.Story{}, a.problem(err)
	}
	return story, nil
}
