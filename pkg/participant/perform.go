package participant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// perform carries out one command under a savepoint and returns its reply. An
// error is not the command's own: the whole batch has to be repeated.
func (p *Participant) perform(ctx context.Context, tx pgx.Tx, cmd Command) (protocol.Reply, error) {
	savepoint, err := tx.Begin(ctx)
	if err != nil {
		return protocol.Reply{}, fmt.Errorf("set a savepoint for %s: %w", cmd.Key(), err)
	}
	run, reply, err := p.barrier.enter(ctx, savepoint, cmd)
	if err != nil {
		return reply, err
	}
	if run {
		reply, err = p.work(ctx, savepoint, cmd)
	}
	if err == nil {
		return reply, savepoint.Commit(ctx)
	}
	if p.ofTheBatch(ctx, tx, err) {
		return protocol.Reply{}, fmt.Errorf("carry out %s: %w", cmd.Key(), err)
	}
	if err := savepoint.Rollback(ctx); err != nil {
		return protocol.Reply{}, fmt.Errorf("roll back %s: %w", cmd.Key(), err)
	}
	var no *refusal
	if errors.As(err, &no) {
		return p.refused(ctx, tx, cmd, no.problem)
	}
	p.log.Warn("a command failed, the saga will ask again", zap.String("key", cmd.Key()), zap.Error(err))
	return technical(err), nil
}

// work runs the handler and keeps what a REQUEST brought.
func (p *Participant) work(ctx context.Context, tx pgx.Tx, cmd Command) (protocol.Reply, error) {
	output, err := p.call(ctx, tx, cmd)
	if err != nil {
		return protocol.Reply{}, err
	}
	if tx.Conn().PgConn().TxStatus() != 'T' {
		return protocol.Reply{}, errors.New("the handler hid an error of the database, its transaction has failed")
	}
	if cmd.Operation == saga.Cancel {
		return protocol.Reply{Outcome: saga.OutcomeCompensated}, nil
	}
	reply := protocol.Reply{Outcome: saga.OutcomeSucceeded, Output: output}
	if len(output) == 0 {
		return reply, nil
	}
	body, err := bodyOf(cmd, reply)
	if err != nil {
		return protocol.Reply{}, err
	}
	size, err := jsonmap.Size(body)
	if err != nil {
		return protocol.Reply{}, fmt.Errorf("the handler's output cannot be stored: %w", err)
	}
	if size > protocol.MaxContent {
		return protocol.Reply{}, fmt.Errorf("the handler's output has %d bytes, at most %d are allowed", size, protocol.MaxContent)
	}
	return reply, p.barrier.succeed(ctx, tx, cmd, body)
}

// refused answers a refusal, after the rollback.
func (p *Participant) refused(ctx context.Context, tx pgx.Tx, cmd Command, problem saga.Problem) (protocol.Reply, error) {
	reply := protocol.Reply{Outcome: saga.OutcomeFailed, Problem: problem}
	if cmd.Operation == saga.Cancel {
		return reply, nil
	}
	body, err := bodyOf(cmd, reply)
	if err != nil {
		return protocol.Reply{}, err
	}
	return p.barrier.refuse(ctx, tx, cmd, body)
}

func bodyOf(cmd Command, reply protocol.Reply) (json.RawMessage, error) {
	message, err := protocol.ReplyMessage(cmd, reply)
	return message.Payload, err
}

var errPanic = errors.New("the handler panicked")

// call runs the handler; a panic becomes an error.
func (p *Participant) call(ctx context.Context, tx pgx.Tx, cmd Command) (output jsonmap.JSONMap, err error) {
	defer func() {
		if v := recover(); v != nil {
			p.log.Error("a handler panicked", zap.String("key", cmd.Key()), zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
			err = fmt.Errorf("%w: %v", errPanic, v)
		}
	}()
	step := p.cfg.Steps[cmd.Step]
	if cmd.Operation == saga.Cancel {
		return nil, step.Cancel(ctx, tx, cmd)
	}
	return step.Request(ctx, tx, cmd)
}

// ofTheBatch tells the errors that are nobody's fault and heal when all is
// repeated: a lost connection, a deadlock, a serialization failure.
func (p *Participant) ofTheBatch(ctx context.Context, tx pgx.Tx, err error) bool {
	if tx.Conn().IsClosed() || ctx.Err() != nil {
		return true
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && strings.HasPrefix(pg.Code, "40")
}
