package participant

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
)

// Participant carries out the steps of one service. Several instances may run on
// the same queue and database.
type Participant struct {
	cfg     Config
	barrier barrier
	outbox  outbox.Schema
	pace    *pace
	leaving *answers
	log     *zap.Logger
}

// New checks the configuration; it connects to nothing.
func New(cfg Config) (*Participant, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg = cfg.complete()
	return &Participant{
		cfg:     cfg,
		barrier: newBarrier(cfg.Schema),
		outbox:  outbox.In(cfg.Schema),
		pace:    newPace(cfg.Budget),
		leaving: newAnswers(cfg),
		log:     cfg.Log.With(zap.String("participant", cfg.Service)),
	}, nil
}

// Run works until ctx ends, see [inbox.Run].
func (p *Participant) Run(ctx context.Context) error {
	if p.cfg.Open == nil {
		return errors.New("participant: Config.Open is missing, so there is no broker to take commands from")
	}
	var upkeep sync.WaitGroup
	defer upkeep.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	upkeep.Go(func() { p.forgetOld(ctx) })
	ready := p.leaving.ready
	if p.cfg.WithoutRelay {
		ready = nil
	}
	return inbox.Run(ctx, inbox.Config{
		Name: p.cfg.Service, Service: p.cfg.Service, DB: p.cfg.DB, Schema: p.cfg.Schema, Open: p.cfg.Open, Handle: p.handle,
		MaxBatch: p.cfg.MaxBatch, Workers: p.cfg.Workers, Key: sagaOf, Work: keyOf, Cost: p.cost, Budget: p.cfg.Budget, Limit: p.cfg.Limit,
		Retention: p.cfg.Retention, Ready: ready, Rights: Rights, Report: p.cfg.Report, Log: p.cfg.Log,
	})
}

// handle is one batch: all commands enter the barrier, handlers carry them out, and the
// replies leave at once.
func (p *Participant) handle(ctx context.Context, tx pgx.Tx, deliveries []inbox.Delivery) ([]inbox.Rejection, error) {
	tasks, rejections := p.decode(deliveries)
	if len(tasks) == 0 {
		return rejections, nil
	}
	b := batch{Participant: p, tx: tx, queue: &pgx.Batch{}, begun: time.Now()}
	todo, err := b.sift(tasks)
	if err != nil {
		return nil, err
	}
	b.alone = len(todo) == 1
	for _, round := range rounds(todo) {
		if err := b.perform(ctx, round); err != nil {
			return nil, err
		}
	}
	if err := b.reply(ctx, tasks); err != nil {
		return nil, err
	}
	for _, t := range tasks {
		if t.off {
			rejections = append(rejections, inbox.Rejection{Index: t.index, Later: true})
		}
	}
	return rejections, nil
}

// sagaOf is what must not be worked on twice at the same time.
func sagaOf(d inbox.Delivery) string { return d.Headers[protocol.HeaderSagaID] }

// keyOf is what all attempts of a command have in common.
func keyOf(d inbox.Delivery) string { return d.Headers[protocol.HeaderSagaKey] }

// decode reads the commands and brings them into the order of their sagas, each
// saga's in the order of arrival: two instances whose handlers meet at rows of a saga
// come to them in the same order.
func (p *Participant) decode(deliveries []inbox.Delivery) (tasks []*task, rejections []inbox.Rejection) {
	for i, d := range deliveries {
		cmd, err := protocol.DecodeCommand(d)
		if err != nil {
			rejections = append(rejections, inbox.Rejection{Index: i, Code: inbox.Undecodable, Reason: err.Error()})
			continue
		}
		tasks = append(tasks, &task{cmd: cmd, index: i, repeated: d.Repeated})
	}
	slices.SortStableFunc(tasks, func(a, b *task) int { return bytes.Compare(a.cmd.SagaID[:], b.cmd.SagaID[:]) })
	return tasks, rejections
}
