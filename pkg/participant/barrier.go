package participant

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// barrier calls the functions of sql/participant, for many commands at once.
type barrier struct{ enterSQL, leaveSQL string }

func newBarrier(schema string) barrier {
	return barrier{
		enterSQL: sagasql.Query(schema, "participant/enter.sql"),
		leaveSQL: sagasql.Query(schema, "participant/leave.sql"),
	}
}

// enter queues the question which handlers have to run. Once it is sent, each task
// knows that it has to, or has its answer.
func (b barrier) enter(queue *pgx.Batch, tasks []*task) {
	var sagas []uuid.UUID
	var steps, ops []string
	for _, t := range tasks {
		sagas = append(sagas, uuid.UUID(t.cmd.SagaID))
		steps = append(steps, t.cmd.Step)
		ops = append(ops, string(t.cmd.Operation))
	}
	queue.Queue(b.enterSQL, sagas, steps, ops).Query(func(rows pgx.Rows) error {
		var run bool
		var answer string
		var body []byte
		next := 0
		_, err := pgx.ForEachRow(rows, []any{&run, &answer, &body}, func() error {
			t := tasks[next]
			next++
			if t.run = run; run {
				return nil
			}
			reply, err := stored(saga.Outcome(answer), body)
			if err != nil {
				return fmt.Errorf("read the stored reply of %s: %w", t.cmd.Key(), err)
			}
			return t.answer(reply)
		})
		return err
	})
}

// leave queues what the rows that entering wrote do not say already.
func (b barrier) leave(queue *pgx.Batch, tasks []*task) {
	var sagas []uuid.UUID
	var steps, ops, outcomes, bodies []string
	for _, t := range tasks {
		if !t.run || t.presumed() {
			continue
		}
		sagas = append(sagas, uuid.UUID(t.cmd.SagaID))
		steps = append(steps, t.cmd.Step)
		ops = append(ops, string(t.cmd.Operation))
		outcomes = append(outcomes, string(t.outcome))
		bodies = append(bodies, string(t.reply.Payload))
	}
	if len(sagas) > 0 {
		queue.Queue(b.leaveSQL, sagas, steps, ops, outcomes, bodies)
	}
}

// stored is an answer as the barrier keeps it.
func stored(outcome saga.Outcome, body []byte) (reply protocol.Reply, err error) {
	reply.Outcome = outcome
	switch outcome {
	case saga.OutcomeSucceeded:
		reply.Output, err = jsonmap.Parse(body)
	case saga.OutcomeFailed, saga.OutcomeRetry:
		err = json.Unmarshal(body, &reply.Problem)
	case saga.OutcomeConfirmed, saga.OutcomeCompensated:
		// Nothing is said besides.
	}
	return reply, err
}
