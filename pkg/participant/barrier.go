package participant

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// barrier calls the functions of sql/participant.
type barrier struct{ enterSQL, succeedSQL, refuseSQL string }

func newBarrier(schema string) barrier {
	return barrier{
		enterSQL:   sagasql.Query(schema, "participant/enter.sql"),
		succeedSQL: sagasql.Query(schema, "participant/succeed.sql"),
		refuseSQL:  sagasql.Query(schema, "participant/refuse.sql"),
	}
}

// enter tells whether the handler has to run, or else the reply to give.
func (b barrier) enter(ctx context.Context, tx pgx.Tx, cmd Command) (run bool, reply protocol.Reply, err error) {
	var answer *string
	var body []byte
	err = tx.QueryRow(ctx, b.enterSQL, uuid.UUID(cmd.SagaID), cmd.Step, string(cmd.Operation)).Scan(&run, &answer, &body)
	if err != nil {
		return false, reply, fmt.Errorf("enter the barrier of %s: %w", cmd.Key(), err)
	}
	if run {
		return true, reply, nil
	}
	reply, err = stored(cmd, *answer, body)
	return false, reply, err
}

// succeed keeps the output of a REQUEST.
func (b barrier) succeed(ctx context.Context, tx pgx.Tx, cmd Command, output json.RawMessage) error {
	if _, err := tx.Exec(ctx, b.succeedSQL, uuid.UUID(cmd.SagaID), cmd.Step, output); err != nil {
		return fmt.Errorf("keep the output of %s: %w", cmd.Key(), err)
	}
	return nil
}

// refuse keeps the refusal of a REQUEST and returns the reply to give.
func (b barrier) refuse(ctx context.Context, tx pgx.Tx, cmd Command, problem json.RawMessage) (protocol.Reply, error) {
	var answer string
	var body []byte
	err := tx.QueryRow(ctx, b.refuseSQL, uuid.UUID(cmd.SagaID), cmd.Step, problem).Scan(&answer, &body)
	if err != nil {
		return protocol.Reply{}, fmt.Errorf("keep the refusal of %s: %w", cmd.Key(), err)
	}
	return stored(cmd, answer, body)
}

// stored is a reply as the barrier keeps it.
func stored(cmd Command, answer string, body []byte) (reply protocol.Reply, err error) {
	reply.Outcome = saga.Outcome(answer)
	switch reply.Outcome {
	case saga.OutcomeSucceeded:
		reply.Output, err = jsonmap.Parse(body)
	case saga.OutcomeFailed:
		err = json.Unmarshal(body, &reply.Problem)
	case saga.OutcomeCompensated, saga.OutcomeRetry:
		// Nothing is said besides.
	}
	if err != nil {
		return reply, fmt.Errorf("read the stored reply of %s: %w", cmd.Key(), err)
	}
	return reply, nil
}
