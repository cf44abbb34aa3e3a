package e2e

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	sagasql "go.example/saga/sql"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga"
)

// actor carries out one step as the scenario says. Whatever it answers, it has
// written the deed before, so that a deed that stays without a yes is found.
type actor struct {
	step string

	mu     sync.Mutex
	script map[saga.Operation][]answer
	output jsonmap.JSONMap
}

// answer is what comes of one run of a handler.
type answer func(context.Context) error

func agrees(context.Context) error { return nil }

func refuses(context.Context) error {
	return participant.Refuse(saga.Problem{Type: "urn:problem:stage:no", Title: "No"})
}

// What a participant is told to say in its words, as the history has them.
const (
	refused = "No (urn:problem:stage:no)"
	broken  = "Technical error, nothing was changed (error) (urn:problem:saga:technical)"
	// cancelled is said of a REQUEST that its CANCEL has overtaken.
	cancelled = "The request was cancelled before it arrived (urn:problem:saga:cancelled)"
)

func breaks(context.Context) error { return errors.New("the machine is stuck") }

// gate holds one run of a handler in its transaction until it is opened.
type gate struct{ entered, opened chan struct{} }

func newGate() *gate { return &gate{make(chan struct{}), make(chan struct{})} }

func (g *gate) agrees(ctx context.Context) error {
	close(g.entered)
	select {
	case <-g.opened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// await waits until the handler is held.
func (g *gate) await(t *testing.T) {
	t.Helper()
	select {
	case <-g.entered:
	case <-time.After(patience):
		require.FailNow(t, "the handler was not run")
	}
}

func newActor(step string) *actor {
	return &actor{step: step, script: map[saga.Operation][]answer{}}
}

// on scripts the answers to an operation, one a run; the last one holds from then on.
func (a *actor) on(op saga.Operation, answers ...answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.script[op] = answers
}

// brings is the output of the step.
func (a *actor) brings(output jsonmap.JSONMap) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.output = output
}

func (a *actor) next(op saga.Operation) answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	answers := a.script[op]
	switch len(answers) {
	case 0:
		return agrees
	case 1:
		return answers[0]
	}
	a.script[op] = answers[1:]
	return answers[0]
}

func (a *actor) do(ctx context.Context, tx pgx.Tx, cmd participant.Command) error {
	_, err := tx.Exec(ctx, `INSERT INTO deed (saga_id, step, operation) VALUES ($1, $2, $3)`,
		uuid.UUID(cmd.SagaID), cmd.Step, cmd.Operation)
	if err != nil {
		return err
	}
	return a.next(cmd.Operation)(ctx)
}

func (a *actor) request(ctx context.Context, tx pgx.Tx, cmd participant.Command) (jsonmap.JSONMap, error) {
	if err := a.do(ctx, tx, cmd); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.output, nil
}

// enter runs an instance of the step's participant. It takes one command at a time,
// so that another instance gets what comes while this one is held.
func (s *stage) enter(step string) {
	a := s.actors[step]
	cfg := rabbit.Config{Name: step, URL: func(context.Context) (string, error) { return s.url, nil }}
	p, err := participant.New(participant.Config{
		Service: testenv.Service, DB: s.work, Steps: map[string]participant.Step{step: {Request: a.request, Confirm: a.do, Cancel: a.do}},
		Open: func(ctx context.Context, _ sagasql.Service) (inbox.Source, error) {
			consumer, err := rabbit.OpenConsumer(ctx, cfg, rabbit.EventTopology(testenv.Owner, door(step)), door(step), 1)
			if err != nil {
				return nil, err // and no nil pointer inside of the interface
			}
			return consumer, nil
		},
	})
	require.NoError(s, err)
	s.run("participant "+step, p.Run)
}
