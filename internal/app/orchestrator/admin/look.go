package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"go.example/saga/internal/app/redact"
	engine "go.example/saga/pkg/saga/orchestrator"
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

		Payload     json.RawMessage  `json:"payload"`
		Outputs     json.RawMessage  `json:"outputs"`
		Waits       []sagapg.Waiting `json:"waits" doc:"What it waits for, since when and until when; none when it has ended."`
		StandsStill string           `json:"standsStill,omitempty" doc:"Why this program cannot follow its plan, so that nothing but killing it has an effect."`
		SetAside    engine.SetAside  `json:"setAside" doc:"What the orchestrator's consumers have set aside of it, the newest. What a participant has set aside is in its own database."`
	}
}

func (a api) show(ctx context.Context, in *showInput) (*showOutput, error) {
	story, err := a.story(ctx, in.ID, 1)
	if err != nil {
		return nil, err
	}
	out := &showOutput{}
	out.Body.Overview, out.Body.Payload, out.Body.Outputs = story.Overview, story.Payload, story.Outputs
	out.Body.Waits, out.Body.SetAside = append([]sagapg.Waiting{}, story.Waits...), story.SetAside
	out.Body.StandsStill = story.StandsStill
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

type timelineInput struct {
	SagaInput

	Limit  int   `query:"limit" minimum:"1" maximum:"10000" default:"500" doc:"At most so many events, the latest."`
	Before int64 `query:"before" minimum:"0" doc:"Only events before this one: earlier of the page before."`
}

type timelineOutput struct {
	Body struct {
		Timeline []sagapg.Moment `json:"timeline"`
		Earlier  int64           `json:"earlier,omitempty" doc:"The first of these events, where there are earlier ones: give it as before."`
	}
}

func (a api) timeline(ctx context.Context, in *timelineInput) (*timelineOutput, error) {
	id, err := idOf(in.ID, "path.id")
	if err != nil {
		return nil, err
	}
	before := in.Before
	if before == 0 {
		before = math.MaxInt64
	}
	looking, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	out := &timelineOutput{}
	if out.Body.Timeline, err = a.engine.Store.Timeline(looking, a.engine.DB, id, before, in.Limit); err != nil {
		return nil, a.problem(err)
	}
	if len(out.Body.Timeline) == 0 { // of a saga that is not there?
		if _, err := a.story(ctx, in.ID, 1); err != nil {
			return nil, err
		}
	}
	if len(out.Body.Timeline) > 0 && out.Body.Timeline[0].Seq > 1 {
		out.Body.Earlier = out.Body.Timeline[0].Seq
	}
	return out, nil
}

func (a api) story(ctx context.Context, text string, events int) (engine.Story, error) {
	id, err := idOf(text, "path.id")
	if err != nil {
		return engine.Story{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	story, err := a.engine.Show(ctx, id, events)
	if err != nil {
		return engine.Story{}, a.problem(err)
	}
	return story, nil
}
