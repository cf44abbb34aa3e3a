package participant

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
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
}

// One savepoint at a time stands before the handler that runs. Without parameters two
// statements are one round trip.
const (
	setSavepoint     = `SAVEPOINT saga_command`
	releaseSavepoint = `RELEASE SAVEPOINT saga_command`
	renewSavepoint   = releaseSavepoint + "; " + setSavepoint
	backToSavepoint  = `ROLLBACK TO SAVEPOINT saga_command`
)

// perform carries out the commands of one round. An error is no command's own: the
// whole batch has to be repeated.
func (b *batch) perform(ctx context.Context, round []*task) error {
	b.barrier.enter(b.queue, round)
	b.queue.Queue(setSavepoint)
	b.dirty = false
	if err := b.send(ctx); err != nil {
		return fmt.Errorf("enter the barrier with %d commands (safe to repeat the transaction): %w", len(round), err)
	}
	for _, t := range round {
		if !t.run {
			continue
		}
		if err := b.one(ctx, t); err != nil {
			return fmt.Errorf("carry out %s: %w", t.cmd.Key(), err)
		}
	}
	b.queue.Queue(releaseSavepoint)
	b.barrier.leave(b.queue, round)
	return nil
}

// one carries out a command that the barrier let in, under its savepoint.
func (b *batch) one(ctx context.Context, t *task) error {
	if b.dirty {
		if _, err := b.tx.Exec(ctx, renewSavepoint); err != nil {
			return fmt.Errorf("set a savepoint: %w", err)
		}
	}
	b.dirty = true
	why := b.work(ctx, b.tx, t)
	if why == nil {
		return nil
	}
	if b.ofTheBatch(ctx, why) {
		return why
	}
	if _, err := b.tx.Exec(ctx, backToSavepoint); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	b.dirty = false
	var no *refusal
	if errors.As(why, &no) {
		return t.answer(protocol.Reply{Outcome: saga.OutcomeFailed, Problem: no.problem})
	}
	b.log.Warn("a command failed, the saga will ask again", zap.String("key", t.cmd.Key()), zap.Error(why))
	return t.answer(technical(why))
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
func (b *batch) reply(ctx context.Context, tasks []*task) error {
	messages := make([]outbox.Message, len(tasks))
	for i, t := range tasks {
		messages[i] = t.reply
	}
	err := b.outbox.Append(ctx, queued{b.queue}, messages...)
	if err == nil {
		err = b.send(ctx)
	}
	if err != nil {
		return fmt.Errorf("leave the barrier and reply to %d commands (safe to repeat the transaction): %w", len(tasks), err)
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
