package participant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// batch is the work on the commands of one transaction.
type batch struct {
	*Participant
	tx pgx.Tx
	// queue holds statements that nobody waits for. They leave with the next ones
	// that somebody does: a round trip costs more than most statements.
	queue *pgx.Batch
	// dirty: a handler has run since the savepoint was set.
	dirty bool
	begun time.Time
	// alone: there is one command to carry out, and no other waits for it.
	alone bool
	// worked: a command was decided. off: one was put off.
	worked, off bool
}

// One savepoint at a time stands before the handler that runs. Without parameters two
// statements are one round trip.
const (
	setSavepoint     = `SAVEPOINT saga_command`
	releaseSavepoint = `RELEASE SAVEPOINT saga_command`
	renewSavepoint   = releaseSavepoint + "; " + setSavepoint
	backToSavepoint  = `ROLLBACK TO SAVEPOINT saga_command`
)

var writerSQL = sagasql.Query("", "participant/writer.sql")

// perform carries out the commands of one round. An error is no command's own: the
// whole batch has to be repeated.
func (b *batch) perform(ctx context.Context, round []*task) error {
	if b.off || b.over() {
		b.putOff(round)
		return nil
	}
	if b.alone {
		// A handler may wait for another system meanwhile.
		b.queue.Queue(patienceSQL, (b.cfg.Limit + patience).Milliseconds())
	}
	b.barrier.enter(b.queue, round)
	b.queue.Queue(setSavepoint)
	b.dirty = false
	if err := b.send(ctx); err != nil {
		return fmt.Errorf("enter the barrier with %d commands (safe to repeat the transaction): %w", len(round), err)
	}
	for _, t := range round {
		b.asked(t)
	}
	for _, set := range b.sets(round) {
		if err := b.carryOut(ctx, set); err != nil {
			return fmt.Errorf("carry out %s and %d more: %w", set[0].cmd.Key(), len(set)-1, err)
		}
	}
	b.queue.Queue(releaseSavepoint)
	b.barrier.leave(b.queue, round)
	return nil
}

// carryOut carries out the commands of one set, under the savepoint.
func (b *batch) carryOut(ctx context.Context, set []*task) error {
	if len(set) == 0 {
		return nil
	}
	if b.over() {
		b.putOff(set)
		return nil
	}
	if b.dirty {
		if _, err := b.tx.Exec(ctx, renewSavepoint); err != nil {
			return fmt.Errorf("set a savepoint: %w", err)
		}
	}
	b.dirty = true
	results, why := b.timed(ctx, set)
	switch {
	case isOutOfTime(why):
		return b.outOfTime(ctx, set, why)
	case why != nil:
		return b.failed(ctx, set, why)
	}
	rest, why := b.answers(ctx, set, results)
	if why != nil || len(rest) == len(set) {
		return why
	}
	// Of those that failed nothing may stay, and there is one savepoint for all.
	if err := b.back(ctx); err != nil {
		return err
	}
	return b.carryOut(ctx, rest)
}

// failed goes on after an error of a whole set. It is looked for by halves.
func (b *batch) failed(ctx context.Context, set []*task, why error) error {
	if b.ofTheBatch(ctx, why) {
		return why
	}
	if err := b.back(ctx); err != nil {
		return err
	}
	if len(set) == 1 {
		return b.no(set[0], why)
	}
	half := len(set) / 2
	if err := b.carryOut(ctx, set[:half]); err != nil {
		return err
	}
	return b.carryOut(ctx, set[half:])
}

// answers words what came of the commands, and returns those that did not fail. An
// error is no command's own.
func (b *batch) answers(ctx context.Context, set []*task, results []Result) (rest []*task, err error) {
	for i, t := range set {
		why := results[i].Err
		if why == nil {
			why = t.done(results[i].Output)
		}
		var no *refusal
		if why == nil || errors.As(why, &no) {
			rest = append(rest, t)
		}
		if why == nil {
			b.worked = true
			continue
		}
		if no == nil && b.ofTheBatch(ctx, why) {
			return nil, why
		}
		if err := b.no(t, why); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// no answers a command that was not carried out.
func (b *batch) no(t *task, why error) error {
	b.worked = true
	var no *refusal
	if errors.As(why, &no) {
		return t.answer(protocol.Reply{Outcome: saga.OutcomeFailed, Problem: no.problem})
	}
	if errors.Is(why, errInLine) {
		b.inLine(t)
		return t.answer(technical(why))
	}
	b.log.Warn("a command failed, the saga will ask again", zap.String("key", t.cmd.Key()), zap.Error(why))
	return t.answer(technical(why))
}

// inLine warns once of each command that comes again before it had its turn.
func (b *batch) inLine(t *task) {
	told := false
	b.pace.remember(t.cmd, func(n *note) { told, n.inLine = n.inLine, true })
	if !told {
		b.log.Warn("a command was sent again before it had its turn: commands wait and take longer here than their step's timeout",
			zap.String("key", t.cmd.Key()), zap.Int("attempt", t.cmd.Attempt))
	}
}

// back takes back what was done since the savepoint.
func (b *batch) back(ctx context.Context) error {
	if _, err := b.tx.Exec(ctx, backToSavepoint); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	b.dirty = false
	return nil
}

// ofTheBatch tells the errors that are nobody's fault and heal when all is
// repeated: a lost connection, a deadlock, a serialization failure.
func (b *batch) ofTheBatch(ctx context.Context, err error) bool {
	if b.tx.Conn().IsClosed() || ctx.Err() != nil {
		return true
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && strings.HasPrefix(pg.Code, "40")
}

// reply puts the answers into the outbox, in the order of the commands.
func (b *batch) reply(ctx context.Context, tasks []*task) (err error) {
	var messages []outbox.Message
	var aggregates []string
	for _, t := range tasks {
		if !t.off {
			messages = append(messages, t.reply)
			aggregates = append(aggregates, t.reply.AggregateID)
		}
	}
	var xact string
	if len(messages) > 0 {
		err = b.outbox.Append(ctx, queued{b.queue}, messages...)
		b.queue.Queue(writerSQL).QueryRow(func(row pgx.Row) error { return row.Scan(&xact) })
	}
	if err == nil && b.queue.Len() > 0 {
		err = b.send(ctx)
	}
	if err != nil {
		return fmt.Errorf("leave the barrier and reply to %d commands (safe to repeat the transaction): %w", len(messages), err)
	}
	if len(messages) > 0 {
		b.leaving.wrote(xact, aggregates, time.Now())
	}
	return nil
}

// send sends what is queued, in one round trip.
func (b *batch) send(ctx context.Context) error {
	queue := b.queue
	b.queue = &pgx.Batch{}
	return b.tx.SendBatch(ctx, queue).Close()
}

// queued is a transaction to append to that takes its time.
type queued struct{ *pgx.Batch }

func (q queued) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	q.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}
