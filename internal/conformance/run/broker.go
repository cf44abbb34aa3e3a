package run

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.example/saga/internal/conformance"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
)

// Broker carries by RabbitMQ.
type Broker struct {
	dialogue *rabbit.Dialogue
	events   chan Event
	closed   chan struct{}
	pump     sync.WaitGroup
}

// OpenBroker waits until the participant consumes its queue, and makes one for the answers.
func OpenBroker(ctx context.Context, cfg rabbit.Config, service, destination string, patience time.Duration, progress func(string)) (*Broker, error) {
	if err := awaitConsumer(ctx, cfg, protocol.CommandQueue(destination), patience, progress); err != nil {
		return nil, err
	}
	dialogue, err := rabbit.OpenDialogue(ctx, cfg, protocol.ReplyQueue(service))
	if err != nil {
		return nil, err
	}
	b := &Broker{dialogue: dialogue, events: make(chan Event), closed: make(chan struct{})}
	b.pump.Go(func() {
		for {
			select {
			case d := <-dialogue.Heard():
				select {
				case b.events <- Event{Reply: &d}:
				case <-b.closed:
					return
				}
			case <-b.closed:
				return
			}
		}
	})
	return b, nil
}

func awaitConsumer(ctx context.Context, cfg rabbit.Config, queue string, patience time.Duration, progress func(string)) error {
	look := rabbit.Lookout{Config: cfg}
	defer func() { _ = look.Close() }()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	told := time.Now()
	missing := fmt.Sprintf("nobody consumes the queue %s", queue)
	for {
		states, err := look.Look(ctx, queue)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err == nil {
			switch {
			case len(states) == 0 || !states[0].Exists:
				missing = fmt.Sprintf("there is no queue %s", queue)
			case states[0].Consumers > 0:
				return nil
			default:
				missing = fmt.Sprintf("nobody consumes the queue %s", queue)
			}
		}
		if time.Since(told) > tellEvery {
			progress(missing + ": waits for the participant")
			told = time.Now()
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("%s, within %s: start the participant, with a relay that serves its outbox, or name another --destination", missing, patience)
		}
	}
}

// Carry implements [Carrier].
func (b *Broker) Carry(ctx context.Context, s *conformance.Sent) error {
	for range s.Copies {
		if err := b.dialogue.Send(ctx, s.Message); err != nil {
			return fmt.Errorf("%w; the participant's queue is bound to %s with the name of its service", err, protocol.ExchangeCommands)
		}
	}
	return nil
}

// Heard implements [Carrier].
func (b *Broker) Heard() <-chan Event { return b.events }

// Done implements [Carrier].
func (b *Broker) Done() <-chan struct{} { return b.dialogue.Done() }

// Err implements [Carrier].
func (b *Broker) Err() error { return b.dialogue.Err() }

// Direct implements [Carrier].
func (b *Broker) Direct() bool { return false }

// Close ends the session. The queue of the answers is deleted, or kept for those that are
// still to come.
func (b *Broker) Close(keep bool) error {
	close(b.closed)
	b.pump.Wait()
	return b.dialogue.Close(keep)
}
