// Package reaction has a service of the sample do its part without an orchestrator: it hears
// what others publish, does its step of the saga or takes it back, and publishes what came of
// that. The step is the one that commands ask for, and stands behind the same barrier: what
// takes it back may come first, and then it is never done.
package reaction

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// Of is a fact of a service.
type Of struct{ Service, Fact string }

// Key is its routing key.
func (o Of) Key() string { return protocol.FactKey(o.Service, o.Fact) }

// Reaction is a service's part.
type Reaction struct {
	// Schema holds the service's tables; empty means public.
	Schema string
	// Step names the work in the barrier.
	Step string
	Work participant.Step
	// Does is the fact after which the work is done, Undoes the one after which it is taken back.
	Does, Undoes Of
	// Done, Refused and Undone are the facts that tell of it. Undone says that nothing is in
	// effect, and never will be; it is told also where nothing was.
	Done, Refused, Undone string
}

// Keys are the routing keys of what it hears.
func (r Reaction) Keys() []string { return []string{r.Does.Key(), r.Undoes.Key()} }

// Handler handles one fact, for [inbox.Once]. The service is the one that does it.
func (r Reaction) Handler(service string) func(context.Context, pgx.Tx, inbox.Delivery) error {
	return func(ctx context.Context, tx pgx.Tx, d inbox.Delivery) error {
		fact, err := protocol.DecodeFact(d)
		if err != nil {
			return inbox.SetAside(inbox.Undecodable, err.Error())
		}
		name, payload, err := r.react(ctx, tx, fact)
		if err != nil || name == "" {
			return err
		}
		return Publish(ctx, tx, r.Schema, protocol.Fact{
			Type: name, Service: service, Subject: uuid.UUID(fact.SagaID).String(), SagaID: fact.SagaID, Payload: payload,
		})
	}
}

// Publish appends a fact to the outbox of the schema.
func Publish(ctx context.Context, tx pgx.Tx, schema string, fact protocol.Fact) error {
	message, err := protocol.FactMessage(fact)
	if err != nil {
		return err
	}
	return outbox.In(schema).Append(ctx, tx, message)
}

// react does the work, and says what to publish; an empty name for nothing.
func (r Reaction) react(ctx context.Context, tx pgx.Tx, fact protocol.Fact) (name string, payload jsonmap.JSONMap, err error) {
	operation, do := saga.Request, r.Work.RequestAll
	switch (Of{fact.Service, fact.Type}) {
	case r.Does:
	case r.Undoes:
		operation, do = saga.Cancel, r.Work.CancelAll
	default:
		return "", nil, inbox.SetAside(inbox.Unexpected, fmt.Sprintf("nothing is done here after %q of %q", fact.Type, fact.Service))
	}
	run, answer, err := r.enter(ctx, tx, fact.SagaID, operation)
	switch {
	case err != nil:
		return "", nil, err
	case !run && operation == saga.Request && answer == "retry", !run && operation == saga.Cancel && answer == "failed":
		return "", nil, inbox.SetAside(inbox.Unexpected, "it is so old that what was done is forgotten here")
	case !run && operation == saga.Request: // it was done, refused or taken back before
		return "", nil, nil
	case !run:
		return r.Undone, nil, nil
	}
	results, err := do(ctx, tx, []participant.Command{{SagaID: fact.SagaID, Step: r.Step, Operation: operation, Attempt: 1, Payload: fact.Payload}})
	if err != nil {
		return "", nil, err
	}
	if operation == saga.Cancel {
		return r.Undone, nil, nil
	}
	var result participant.Result
	if len(results) > 0 {
		result = results[0]
	}
	if problem, refused := participant.Refused(result.Err); refused {
		return r.Refused, jsonmap.JSONMap{"reason": problem.Detail}, r.refuse(ctx, tx, fact.SagaID, problem)
	}
	return r.Done, result.Output, result.Err
}

func (r Reaction) enter(ctx context.Context, tx pgx.Tx, id saga.ID, operation saga.Operation) (run bool, answer string, err error) {
	if err := tx.QueryRow(ctx, sagasql.Query(r.Schema, "participant/enter_one.sql"), uuid.UUID(id), r.Step, operation).Scan(&run, &answer); err != nil {
		return false, "", fmt.Errorf("enter the barrier of %s: %w", r.Step, err)
	}
	return run, answer, nil
}

// refuse has the barrier remember the no.
func (r Reaction) refuse(ctx context.Context, tx pgx.Tx, id saga.ID, problem saga.Problem) error {
	body, err := jsonmap.JSONMap{"type": problem.Type, "title": problem.Title, "detail": problem.Detail}.MarshalJSON()
	if err == nil {
		_, err = tx.Exec(ctx, sagasql.Query(r.Schema, "participant/leave.sql"), []uuid.UUID{uuid.UUID(id)}, []string{r.Step}, []string{string(saga.Request)},
			[]string{string(saga.OutcomeFailed)}, []string{string(body)})
	}
	if err != nil {
		return errors.Join(fmt.Errorf("leave the barrier of %s", r.Step), err)
	}
	return nil
}
