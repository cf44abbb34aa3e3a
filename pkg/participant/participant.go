package participant

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// Participant carries out the steps of one service. Several instances may run on
// the same queue and database.
type Participant struct {
	cfg     Config
	barrier barrier
	outbox  outbox.Schema
	log     *zap.Logger
}

// New checks the configuration; it connects to nothing.
func New(cfg Config) (*Participant, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	return &Participant{
		cfg:     cfg,
		barrier: newBarrier(cfg.Schema),
		outbox:  outbox.In(cfg.Schema),
		log:     cfg.Log.With(zap.String("participant", cfg.Name)),
	}, nil
}

// Run works until ctx ends, see [inbox.Run].
func (p *Participant) Run(ctx context.Context) error {
	return inbox.Run(ctx, inbox.Config{
		Name: p.cfg.Name, DB: p.cfg.DB, Schema: p.cfg.Schema, Open: p.cfg.Open, Handle: p.handle,
		MaxBatch: p.cfg.MaxBatch, Connected: p.cfg.Connected, Log: p.cfg.Log,
	})
}

// handle is one batch: commands one after another, then their replies at once.
func (p *Participant) handle(ctx context.Context, tx pgx.Tx, deliveries []inbox.Delivery) ([]inbox.Rejection, error) {
	commands, rejections := p.decode(deliveries)
	replies := make([]outbox.Message, 0, len(commands))
	for _, cmd := range commands {
		reply, err := p.perform(ctx, tx, cmd)
		if err != nil {
			return nil, err
		}
		message, err := protocol.ReplyMessage(cmd, reply)
		if err != nil {
			return nil, err
		}
		replies = append(replies, message)
	}
	if err := p.outbox.Append(ctx, tx, replies...); err != nil {
		return nil, fmt.Errorf("reply: %w", err)
	}
	return rejections, nil
}

// decode reads the commands and brings them into the order of their sagas, each
// saga's in the order of arrival. Two instances then enter their barriers in the
// same order and cannot lock each other out.
func (p *Participant) decode(deliveries []inbox.Delivery) (commands []Command, rejections []inbox.Rejection) {
	for i, d := range deliveries {
		cmd, err := protocol.DecodeCommand(d)
		if err == nil {
			err = p.known(cmd)
		}
		if err != nil {
			rejections = append(rejections, inbox.Rejection{Index: i, Reason: err.Error()})
			continue
		}
		commands = append(commands, cmd)
	}
	slices.SortStableFunc(commands, func(a, b Command) int { return bytes.Compare(a.SagaID[:], b.SagaID[:]) })
	return commands, rejections
}

func (p *Participant) known(cmd Command) error {
	step, ok := p.cfg.Steps[cmd.Step]
	if !ok {
		return fmt.Errorf("%s: the step %q is not carried out here", protocol.HeaderSagaStep, cmd.Step)
	}
	if cmd.Operation == saga.Cancel && step.Cancel == nil {
		return fmt.Errorf("%s: the step %q has no CANCEL", protocol.HeaderSagaOp, cmd.Step)
	}
	return nil
}
