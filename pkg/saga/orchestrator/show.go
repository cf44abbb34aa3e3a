package orchestrator

import (
	"context"
	"errors"

	"go.example/saga/pkg/inbox/quarantine"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// Story is all that this database knows about one saga. What a participant has set aside is
// in the participant's own database.
type Story struct {
	sagapg.Story

	// StandsStill is why this program cannot follow the saga's plan, so that nothing but
	// killing it has an effect; empty where it can.
	StandsStill string `json:"standsStill,omitempty"`

	SetAside SetAside `json:"setAside"`
}

// SetAside are the messages about a saga that the orchestrator's consumers have set aside
// and that are held or dead, or were discarded. What was put back and taken is in the
// timeline.
type SetAside struct {
	// Messages are the newest of them, those that wait first.
	Messages []quarantine.Message `json:"messages"`
	// Total is how many there are.
	Total int64 `json:"total"`
	// Unknown is why it cannot be told what was set aside; empty where it can.
	Unknown string `json:"unknown,omitempty"`
}

// shownAside bounds how many messages that were set aside a story lists.
const shownAside = 20

// Show returns one saga with its latest events, at most so many, and what was set aside of
// it, or [sagapg.ErrNoSaga].
func (e *Engine) Show(ctx context.Context, id saga.ID, events int) (Story, error) {
	story, err := e.Store.Show(ctx, e.DB, id, events)
	if err != nil {
		return Story{}, err
	}
	still, err := e.standsStill(ctx, story.Overview)
	if err != nil {
		return Story{}, err
	}
	aside, err := e.setAside(ctx, story.ID)
	return Story{Story: story, StandsStill: still, SetAside: aside}, err
}

func (e *Engine) standsStill(ctx context.Context, s sagapg.Overview) (string, error) {
	if s.Status.Terminal() {
		return "", nil
	}
	_, err := e.Store.Definition(ctx, e.DB, s.Type, s.DefinitionVersion)
	if errors.Is(err, sagapg.ErrNotUnderstood) || errors.Is(err, sagapg.ErrNoDefinition) {
		return err.Error(), nil
	}
	return "", err
}

func (e *Engine) setAside(ctx context.Context, id string) (SetAside, error) {
	store := quarantine.Store{DB: e.DB, Schema: e.Store.Schema()}
	messages, total, err := store.OfSaga(ctx, id, shownAside)
	// Who may see the sagas and not the quarantine is told that, and sees the saga.
	var refused interface{ SQLState() string }
	if errors.As(err, &refused) && refused.SQLState() == insufficientPrivilege {
		return SetAside{Messages: []quarantine.Message{}, Unknown: err.Error()}, nil
	}
	return SetAside{Messages: messages, Total: total}, err
}

const insufficientPrivilege = "42501"
