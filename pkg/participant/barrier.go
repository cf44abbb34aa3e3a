package participant

import (
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// barrier asks and tells the table of sql/participant, for many commands at once.
type barrier struct{ enterSQL, settleSQL, leaveSQL, forgetSQL string }

func newBarrier(schema string) barrier {
	return barrier{
		enterSQL:  sagasql.Query(schema, "participant/enter.sql"),
		settleSQL: sagasql.Query(schema, "participant/settle.sql"),
		leaveSQL:  sagasql.Query(schema, "participant/leave.sql"),
		forgetSQL: sagasql.Query(schema, "participant/forget.sql"),
	}
}

// Rights are what the role needs for the barrier and the replies, beside
// [inbox.Rights] and what the handlers need.
var Rights = []sagasql.Right{
	{On: "saga_barrier", Privileges: "SELECT, INSERT, UPDATE, DELETE"},
	{On: "saga_barrier_watermark", Privileges: "SELECT, UPDATE"},
	{On: "saga_barrier_enter", Privileges: "EXECUTE"},
	{On: "saga_barrier_leave", Privileges: "EXECUTE"},
	{On: "saga_barrier_hidden", Privileges: "EXECUTE"},
	{On: "saga_barrier_reached", Privileges: "EXECUTE"},
	{On: "saga_barrier_forgotten", Privileges: "EXECUTE"},
	{On: "saga_barrier_forget", Privileges: "EXECUTE"},
	{On: "outbox", Privileges: "INSERT"},
	{On: "outbox_left", Privileges: "EXECUTE"},
	{On: "outbox_headers_fit", Privileges: "EXECUTE"},
	{On: "outbox_keeps_number", Privileges: "EXECUTE"},
}

// columns are tasks as parameters of a statement.
type columns struct {
	// Not of uuid.UUID: pgx would take each through its Value, at thirty times the cost.
	sagas                        [][16]byte
	steps, ops, outcomes, bodies []string
}

func (c *columns) add(t *task) {
	c.sagas = append(c.sagas, t.cmd.SagaID)
	c.steps = append(c.steps, t.cmd.Step)
	c.ops = append(c.ops, string(t.cmd.Operation))
	c.outcomes = append(c.outcomes, string(t.outcome))
	c.bodies = append(c.bodies, string(t.reply.Payload))
}

// enter queues the question which handlers have to run. Once it is sent, each task
// knows that it has to, or has its answer.
func (b barrier) enter(queue *pgx.Batch, tasks []*task) {
	var c columns
	for _, t := range tasks {
		c.add(t)
	}
	queue.Queue(b.enterSQL, c.sagas, c.steps, c.ops).Query(func(rows pgx.Rows) error {
		var run, lost bool
		var answer string
		var body []byte
		next := 0
		_, err := pgx.ForEachRow(rows, []any{&run, &answer, &body, &lost}, func() error {
			t := tasks[next]
			next++
			t.lost = lost
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
	var settled, others columns
	for _, t := range tasks {
		switch {
		case t.lost:
			others.add(t)
			others.outcomes[len(others.outcomes)-1] = "forgotten"
		case t.run && t.off: // as if it had never been here
			t.outcome, t.reply.Payload = saga.OutcomeRetry, []byte("{}")
			others.add(t)
		case !t.run || t.presumed():
		case t.cmd.Operation == saga.Request && t.outcome != saga.OutcomeRetry:
			settled.add(t)
		default:
			others.add(t)
		}
	}
	if n := len(settled.sagas); n > 0 {
		queue.Queue(b.settleSQL, settled.sagas, settled.steps, settled.outcomes, settled.bodies).Exec(func(tag pgconn.CommandTag) error {
			if tag.RowsAffected() != int64(n) {
				return fmt.Errorf("%d of %d steps were not entered in this transaction", int64(n)-tag.RowsAffected(), n)
			}
			return nil
		})
	}
	if len(others.sagas) > 0 {
		queue.Queue(b.leaveSQL, others.sagas, others.steps, others.ops, others.outcomes, others.bodies)
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
