package contender

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/bench/internal/wire"
)

// runPure publishes the job's messages with a window of confirms and does nothing
// else: what the broker and the AMQP library can do together.
func runPure(ctx context.Context, job Job) error {
	channel, hangUp, err := confirming(job.AMQP)
	if err != nil {
		return err
	}
	defer hangUp()
	source := job.source()
	unconfirmed := make(chan *amqp.DeferredConfirmation, Window)
	settled := make(chan error, 1)
	go func() { settled <- settle(ctx, unconfirmed) }()
	for n := range job.Rows {
		confirmation, err := send(channel, job.Queue, wire.Publishing(source.Message(n), time.Now()))
		if err != nil {
			return err
		}
		select {
		case unconfirmed <- confirmation:
		case err := <-settled:
			return err
		}
	}
	close(unconfirmed)
	if err := <-settled; err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// settle waits for the confirmations in their order.
func settle(ctx context.Context, unconfirmed <-chan *amqp.DeferredConfirmation) error {
	for confirmation := range unconfirmed {
		acked, err := confirmation.WaitContext(ctx)
		if err != nil {
			return err
		}
		if !acked {
			return errNacked
		}
	}
	return nil
}
