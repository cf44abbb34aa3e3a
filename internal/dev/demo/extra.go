package demo

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

//go:embed extra.sql
var extraSQL string

// extra is a step that this process carries out, as the service reservation does beside its
// daemon: a row in a table of its own, whose state says how far it is.
type extra struct {
	step string
	// The states of the row after REQUEST, CONFIRM (in mode TCC) and CANCEL.
	requested, confirmed, cancelled string
	refuse                          func(payload jsonmap.JSONMap) *saga.Problem
	slow                            func(payload jsonmap.JSONMap) time.Duration
}

// handlers are the step's.
func (e extra) handlers() participant.Step {
	becomes := func(state string) func(context.Context, pgx.Tx, participant.Command) error {
		return func(ctx context.Context, tx pgx.Tx, cmd participant.Command) error {
			_, err := tx.Exec(ctx, `UPDATE public.demo_extra SET state = $2 WHERE saga_id = $1`, [16]byte(cmd.SagaID), state)
			return err
		}
	}
	return participant.Step{
		Request: func(ctx context.Context, tx pgx.Tx, cmd participant.Command) (jsonmap.JSONMap, error) {
			if e.slow != nil {
				select {
				case <-time.After(e.slow(cmd.Payload)):
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			if e.refuse != nil {
				if problem := e.refuse(cmd.Payload); problem != nil {
					return nil, participant.Refuse(*problem)
				}
			}
			_, err := tx.Exec(ctx, `INSERT INTO public.demo_extra (saga_id, state) VALUES ($1, $2)`, [16]byte(cmd.SagaID), e.requested)
			return nil, err
		},
		Confirm: becomes(e.confirmed),
		Cancel:  becomes(e.cancelled),
	}
}

// serve makes the table and works until stop, by the broker or by HTTP.
func (e extra) serve(ctx context.Context, env environment, on *web, byHTTP bool) (stop func() error, err error) {
	// Beside the tables that the service has already, for it starts sagas.
	if err := sagasql.Up(ctx, env.stack.Reservation, "", sagasql.Participant); err != nil {
		return nil, fmt.Errorf("make the tables of the step %s: %w", e.step, err)
	}
	pool, err := pgxpool.New(ctx, env.stack.Reservation)
	if err != nil {
		return nil, fmt.Errorf("connect for the step %s: %w", e.step, err)
	}
	if _, err := pool.Exec(ctx, extraSQL); err != nil {
		pool.Close()
		return nil, fmt.Errorf("make the table of the step %s: %w", e.step, err)
	}
	broker := rabbit.Config{Name: "demo", URL: func(context.Context) (string, error) { return env.stack.AMQP, nil }}
	p, err := participant.New(participant.Config{
		Service: service, DB: pool, Steps: map[string]participant.Step{e.step: e.handlers()},
		Open: func(ctx context.Context, owner sagasql.Service) (inbox.Source, error) {
			consumer, err := rabbit.OpenConsumer(ctx, broker, rabbit.CommandTopology(owner), protocol.CommandQueue(owner.Name), 20)
			if err != nil {
				return nil, err // and no nil pointer inside of the interface
			}
			return consumer, nil
		},
	})
	if err != nil {
		pool.Close()
		return nil, err
	}
	if byHTTP {
		on.mux.Handle("/"+e.step, rudely(p.Handler()))
		return func() error { on.close(); pool.Close(); return nil }, nil
	}
	work, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- p.Run(work) }()
	return func() error {
		cancel()
		defer pool.Close()
		if err := <-ended; err != nil {
			return fmt.Errorf("the step %s: %w", e.step, err)
		}
		return nil
	}, nil
}
