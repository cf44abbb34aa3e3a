package participant

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// Command is what a handler is asked to do.
type Command = protocol.Command

// Step is how a service carries out one step of a saga. For each operation there is a
// handler for one command, or one for all that a batch brings, which costs a fraction
// where many come: [All]. Handlers do their work through tx alone, one at a time, and
// must not end it. They return nil, [Refuse], or an error that says: try again later.
//
// Handlers are called from several goroutines, see [Config].Workers. ctx ends when the time is
// over: after the transaction's [Config].Budget (500 ms) where other commands share it, and
// the handler is begun again by itself; then after [Config].Limit (30 s), and the command is
// answered that it should come again. Hand ctx on to whatever is called.
//
// A bound on a statement belongs into the settings of the pool's connections
// (statement_timeout, lock_timeout): a context that ends during a statement costs
// the connection and with it the whole batch. SET LOCAL holds until the batch's
// transaction ends, so a handler that uses it has to set the value back, or the
// commands behind it run under it too.
type Step struct {
	// Request does the step's work; in a saga of mode TCC it only reserves. The
	// output is given to later steps and to the saga's event; nil is an empty one.
	// With the saga's payload and the outputs of other steps it has at most
	// [protocol.MaxContent] bytes, as PostgreSQL prints them.
	Request    func(ctx context.Context, tx pgx.Tx, cmd Command) (output jsonmap.JSONMap, err error)
	RequestAll All
	// Confirm makes what Request reserved last, in a saga of mode TCC. Where nothing
	// has to be done for that, give a handler that returns nil; to leave it out says
	// that the step has no part in such sagas. Its CONFIRM is then answered that it
	// cannot be done, and the saga is parked in the end: better than one that is
	// completed and holds nothing.
	Confirm    func(ctx context.Context, tx pgx.Tx, cmd Command) error
	ConfirmAll All
	// Cancel undoes a Request that succeeded. It is left out for a step that cannot be
	// undone, a pivot or a retriable one. A CANCEL of what succeeded is then answered that
	// it cannot be done; one of what did not, that there is nothing to undo.
	Cancel    func(ctx context.Context, tx pgx.Tx, cmd Command) error
	CancelAll All
}

// All carries out the commands for one operation of one step, those of a whole batch,
// and returns one result for each, in their order; nil says that all are done and have
// no output. It gets at least one command, no two of the same saga, in the order of
// their sagas' ids, which is about the order in which the sagas began.
//
// The commands share one savepoint. So a result that is a refusal takes nothing back: a
// command that is refused must not have changed a row. Where a result is any other error,
// everything is rolled back and the handler is called again without that command. Where
// the handler itself returns an error, panics or leaves the transaction failed, it is
// called again with one half of the commands and then with the other, until a command
// that cannot be carried out stands alone.
type All func(ctx context.Context, tx pgx.Tx, cmds []Command) ([]Result, error)

// Result is what became of one of several commands.
type Result struct {
	// Output of a REQUEST; nil is an empty one.
	Output jsonmap.JSONMap
	// Err is nil, [Refuse], or an error that says: try again later.
	Err error
}

// handler is what carries out an operation, or refuses to where nothing does.
func (p *Participant) handler(step string, op saga.Operation) (do All, atOnce bool) {
	if do, atOnce = p.cfg.Steps[step].handler(op); do == nil {
		return p.unhandled, true
	}
	return do, atOnce
}

// unhandled says no for good where nobody can say yes: the saga need not wait until its
// attempts are spent. Like every refusal it passes the barrier. So a REQUEST that is refused
// here is refused by an instance that has the handler too, and a CANCEL is compensated where
// there is nothing to undo.
func (p *Participant) unhandled(_ context.Context, _ pgx.Tx, cmds []Command) ([]Result, error) {
	first := cmds[0]
	detail := fmt.Sprintf("the step %q has no %s here", first.Step, first.Operation)
	if _, known := p.cfg.Steps[first.Step]; !known {
		detail = fmt.Sprintf("the step %q is not carried out here", first.Step)
	}
	p.log.Error("no handler for a command, it is answered failed", zap.String("key", first.Key()),
		zap.Int("commands", len(cmds)), zap.String("detail", detail))
	results := make([]Result, len(cmds))
	for i := range results {
		results[i].Err = Refuse(saga.Problem{
			Type: "urn:problem:saga:no-handler", Title: "Nothing here carries out this operation of this step", Detail: detail,
		})
	}
	return results, nil
}

// handler is what carries out an operation; nil where nothing does. Without atOnce it
// takes one command at a time.
func (s Step) handler(op saga.Operation) (do All, atOnce bool) {
	switch op {
	case saga.Confirm:
		return either(s.ConfirmAll, silent(s.Confirm))
	case saga.Cancel:
		return either(s.CancelAll, silent(s.Cancel))
	case saga.Request:
	}
	return either(s.RequestAll, s.Request)
}

func either(all All, one func(context.Context, pgx.Tx, Command) (jsonmap.JSONMap, error)) (All, bool) {
	if all != nil || one == nil {
		return all, true
	}
	return func(ctx context.Context, tx pgx.Tx, cmds []Command) ([]Result, error) {
		output, err := one(ctx, tx, cmds[0])
		return []Result{{Output: output}}, err
	}, false
}

// silent is a handler without output.
func silent(do func(context.Context, pgx.Tx, Command) error) func(context.Context, pgx.Tx, Command) (jsonmap.JSONMap, error) {
	if do == nil {
		return nil
	}
	return func(ctx context.Context, tx pgx.Tx, cmd Command) (jsonmap.JSONMap, error) {
		return nil, do(ctx, tx, cmd)
	}
}

func (s Step) check(name string) error {
	if name == "" {
		return errors.New("participant: a step in Config.Steps has no name")
	}
	var errs []error
	for _, twice := range []struct {
		operation string
		given     bool
	}{
		{"Request", s.Request != nil && s.RequestAll != nil},
		{"Confirm", s.Confirm != nil && s.ConfirmAll != nil},
		{"Cancel", s.Cancel != nil && s.CancelAll != nil},
	} {
		if twice.given {
			errs = append(errs, fmt.Errorf("participant: Config.Steps[%q] has both %s and %[2]sAll, want one of them", name, twice.operation))
		}
	}
	if s.Request == nil && s.RequestAll == nil {
		errs = append(errs, fmt.Errorf("participant: Config.Steps[%q] needs a Request or a RequestAll", name))
	}
	return errors.Join(errs...)
}
