package inbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// errHeldLong ends a session before the broker does: RabbitMQ closes the channel of a
// delivery that is not acknowledged for 30 minutes. The message comes again, and what is
// known of it stays known.
var errHeldLong = errors.New("a message that fails has been held for long, it is given back for a moment")

// keepers try the held messages of one session, each in its time, while the session goes
// on with others.
type keepers struct {
	*consumer
	ctx  context.Context
	end  context.CancelCauseFunc // of the session
	turn sync.Mutex              // one at a time
	all  sync.WaitGroup
}

// settle acknowledges the deliveries of a batch that are done and keeps the others.
func (k *keepers) settle(batch Batch, done, held []int) error {
	err := error(nil)
	if len(held) == 0 && len(done) == len(batch.Deliveries()) {
		err = batch.Ack()
	} else {
		for _, place := range done {
			if err == nil {
				err = batch.AckOnly(place)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("acknowledge what is done to %w, it will be delivered again: %w", ErrBroker, err)
	}
	for _, place := range held {
		k.all.Go(func() {
			if err := k.keep(batch, place); err != nil {
				k.end(err)
			}
		})
	}
	return nil
}

// keep tries one message until it is done or set aside, or the session ends.
func (k *keepers) keep(batch Batch, place int) error {
	d, until := batch.Deliveries()[place], time.Now().Add(k.hold)
	for k.ctx.Err() == nil {
		if time.Now().After(until) {
			return errHeldLong
		}
		v, _ := k.judge.ask(nil, func(b *blame, _ time.Time) verdict { return b.arrived(keyOf(d)) })
		if v.do == giveBack {
			return ErrCircuitOpen
		}
		wait(k.ctx, time.Until(v.at))
		done, err := k.alone(k.ctx, d)
		if err != nil {
			return err
		}
		if done {
			return k.settle(batch, []int{place}, nil)
		}
	}
	return nil
}

// alone tries a message that has failed before, and sets it aside where the rule says so.
func (k *keepers) alone(ctx context.Context, d Delivery) (done bool, err error) {
	k.turn.Lock()
	defer k.turn.Unlock()
	if ctx.Err() != nil {
		return false, nil
	}
	f := k.attempt(ctx, []Delivery{d}, k.Handle)
	if f == nil {
		return true, nil
	}
	if ctx.Err() != nil {
		return false, nil
	}
	v, err := k.judged(ctx, []Delivery{d}, f)
	if err != nil || v.do != setAside {
		return false, err
	}
	return k.setAside(ctx, d, f.err)
}

// setAside writes the message's quarantine row. Where that fails the message stays held.
func (k *keepers) setAside(ctx context.Context, d Delivery, why error) (done bool, err error) {
	f := k.attempt(ctx, []Delivery{d}, func(context.Context, pgx.Tx, []Delivery) ([]Rejection, error) {
		return []Rejection{{Index: 0, Reason: "it fails, again and again, and others do not: " + why.Error()}}, nil
	})
	if f != nil {
		k.trouble.ofWork(fmt.Errorf("set a message aside: %w", f.err))
		return false, nil
	}
	k.judge.tell(func(b *blame) { b.forget(keyOf(d)) })
	k.trouble.ofWork(nil)
	return true, nil
}

// probe begins a session while the circuit is open: one message after another is tried
// alone, until one commits or fails. After a commit the rest of the batch is done.
func (k *keepers) probe(ctx context.Context, source Source) error {
	look, cancel := context.WithTimeout(ctx, k.rule.probe.max)
	defer cancel()
	batch, err := source.Receive(look, k.MaxBatch)
	if err != nil && look.Err() != nil && ctx.Err() == nil {
		k.judge.tell((*blame).idle)
		k.trouble.ofWork(nil)
		k.Log.Info("the circuit is closed: no message waits")
		return nil
	}
	if err != nil {
		return fmt.Errorf("receive from %w: %w", ErrBroker, err)
	}
	work, cancel := outlive(ctx, k.grace)
	defer cancel()
	ds := batch.Deliveries()
	places, done := all(ds), []int(nil)
	for k.judge.suspended() != nil && len(places) > 0 {
		i := k.candidate(pick(ds, places))
		ok, err := k.alone(work, ds[places[i]])
		if err != nil {
			return err
		}
		if !ok { // it failed, and another has closed the circuit meanwhile
			break
		}
		// It has committed, or was rejected, which says nothing of the others.
		done, places = append(done, places[i]), slices.Delete(places, i, i+1)
	}
	return k.finish(work, batch, places, done)
}

// finish does the deliveries at the places, and acknowledges them with those that are done.
func (k *keepers) finish(ctx context.Context, batch Batch, places, done []int) error {
	held, err := k.process(ctx, batch.Deliveries(), places)
	if err != nil {
		return fmt.Errorf("process a batch, it will be delivered again: %w", err)
	}
	for _, place := range places {
		if !slices.Contains(held, place) {
			done = append(done, place)
		}
	}
	return k.settle(batch, done, held)
}

func (k *keepers) candidate(ds []Delivery) int {
	keys := make([]key, len(ds))
	for i, d := range ds {
		keys[i] = keyOf(d)
	}
	k.judge.mu.Lock()
	defer k.judge.mu.Unlock()
	return k.judge.blame.candidate(keys)
}

func all(ds []Delivery) []int {
	places := make([]int, len(ds))
	for i := range places {
		places[i] = i
	}
	return places
}
