package participant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"go.example/saga/pkg/inbox"
	sagasql "go.example/saga/sql"
)

// patience is for how much longer than the limit of a handler the server lets a transaction
// stand idle, so that the limit comes first.
const patience = 10 * time.Second

var patienceSQL = sagasql.Query("", "participant/patience.sql")

// errOverran ends a handler that has neighbours in its transaction, or holds up all others.
var errOverran = errors.New("the handler took longer than what it shares with others, the command is begun again by itself")

// limitError ends a handler that is alone.
type limitError struct{ limit time.Duration }

func (e *limitError) Error() string {
	return fmt.Sprintf("the handler did not end within its limit of %s", e.limit)
}

func isOutOfTime(why error) bool {
	var limit *limitError
	return errors.Is(why, errOverran) || errors.As(why, &limit)
}

// timed runs the handler of a set for as long as it may take, and learns from it. What ends
// well is done, however late.
func (b *batch) timed(ctx context.Context, set []*task) ([]Result, error) {
	allowed, cause := b.cfg.Limit, error(&limitError{b.cfg.Limit})
	if shared := b.share(ctx, set); shared < allowed {
		allowed, cause = shared, errOverran
	}
	theirs, cancel := context.WithTimeoutCause(ctx, allowed, cause)
	defer cancel()
	start := time.Now()
	results, why := b.work(theirs, b.tx, set)
	took := time.Since(start)
	ended := theirs.Err() == nil || (why == nil && !technically(results))
	b.learn(set, took, ended)
	if ended || ctx.Err() != nil {
		return results, why
	}
	return nil, fmt.Errorf("%w: %w", context.Cause(theirs), errors.Join(why))
}

// share is how long the handler may take at the expense of others.
func (b *batch) share(ctx context.Context, set []*task) time.Duration {
	switch {
	case !b.alone:
		return b.cfg.Budget
	case inbox.OnTrial(ctx):
		return b.pace.trial(kind{set[0].cmd.Step, set[0].cmd.Operation})
	}
	return b.cfg.Limit
}

// technically says whether one of the results is an error that is no refusal.
func technically(results []Result) bool {
	for _, r := range results {
		var no *refusal
		if r.Err != nil && !errors.As(r.Err, &no) {
			return true
		}
	}
	return false
}

// learn tells what a handler took. One that was ended tells nothing of others of its kind,
// unless it is one for many, whose sets are made smaller.
func (b *batch) learn(set []*task, took time.Duration, ended bool) {
	first := set[0].cmd
	k := kind{first.Step, first.Operation}
	if _, atOnce := b.handler(first.Step, first.Operation); atOnce {
		b.pace.sawSet(k, len(set), took)
	} else if ended {
		b.pace.sawOne(k, took)
	}
	if took < b.cfg.Budget {
		return
	}
	for _, t := range set {
		b.pace.remember(t.cmd, func(n *note) { n.attempt, n.took = t.cmd.Attempt, took })
	}
}

// outOfTime goes on after a handler that was ended for its time. Where it had neighbours
// they go on without it, and it is begun again by itself. Where it was alone it is answered.
// Either is done when the transaction is repeated, if the end of the context has cost the connection.
func (b *batch) outOfTime(ctx context.Context, set []*task, why error) error {
	shared := errors.Is(why, errOverran)
	for _, t := range set {
		b.pace.remember(t.cmd, func(n *note) {
			if shared {
				n.alone = true
			} else {
				n.limited = t.cmd.MessageID.String()
			}
		})
	}
	if shared {
		b.log.Info("a handler outran the budget of its transaction, it is begun again by itself",
			zap.String("key", set[0].cmd.Key()), zap.Int("commands", len(set)), zap.Duration("budget", b.cfg.Budget))
	}
	if b.tx.Conn().IsClosed() {
		return why
	}
	if err := b.back(ctx); err != nil {
		return err
	}
	if shared {
		b.putOff(set)
		return nil
	}
	return b.no(set[0], why)
}

// over says that the transaction has had its time. Something is always done in it.
func (b *batch) over() bool { return b.worked && time.Since(b.begun) > b.cfg.Budget }

// putOff leaves commands to a later transaction.
func (b *batch) putOff(tasks []*task) {
	for _, t := range tasks {
		t.off, b.off = true, true
	}
}

// errInLine answers a command whose earlier attempt has not had its turn.
var errInLine = errors.New("an earlier attempt of the command waits for its turn, or is carried out now")

// sift answers the commands that have reached their limit and those that wait already, and puts off those that want a
// transaction of their own where others are there, with what comes behind them for the same saga.
func (b *batch) sift(tasks []*task) (todo []*task, err error) {
	for i, t := range tasks {
		n := b.pace.note(t.cmd.Key())
		switch {
		case t.repeated:
			err = errors.Join(err, b.no(t, errInLine))
		case n.limited == t.cmd.MessageID.String():
			err = errors.Join(err, b.no(t, &limitError{b.cfg.Limit}))
		case i > 0 && tasks[i-1].off && tasks[i-1].cmd.SagaID == t.cmd.SagaID, n.alone && len(tasks) > 1:
			t.off = true
		default:
			todo = append(todo, t)
		}
	}
	if len(todo) == 0 && !b.worked {
		tasks[0].off = false
		todo = tasks[:1]
	}
	return todo, err
}
