package inbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/inbox/blame"
)

// errHeldLong ends a session before the broker does: RabbitMQ closes the channel of a
// delivery that is not acknowledged for 30 minutes. The message comes again, and what is
// known of it stays known.
var errHeldLong = errors.New("a message that fails has been held for long, it is given back for a moment")

// errPutOff is a failure: nothing else was in the transaction.
var errPutOff = errors.New("the handler puts off a delivery that stands alone")

// feed is one session as the source of deliveries. It keeps those of its messages that fail
// alone and tries them, each in its time, while the session goes on with others.
type feed struct {
	*consumer
	ctx     context.Context
	end     context.CancelCauseFunc // of the session
	turn    sync.Mutex              // one held message at a time
	keeping sync.WaitGroup

	// Under the dispatcher's lock:
	progress bool // something was acknowledged
	ended    bool // the session is over
}

// keep tries one message until it is done or set aside, or the session ends. The caller has
// the dispatcher's lock.
func (d *dispatcher) keep(f *feed, it *item) {
	if f.ended {
		return // it comes again
	}
	d.kept[it] = true
	f.keeping.Go(func() {
		err := f.try(it)
		d.mu.Lock()
		delete(d.kept, it)
		d.change()
		d.mu.Unlock()
		if err != nil {
			f.end(err)
		}
	})
}

func (f *feed) try(it *item) error {
	for until := time.Now().Add(f.hold); f.ctx.Err() == nil; {
		if time.Now().After(until) {
			return errHeldLong
		}
		v, _ := f.judge.ask(nil, func(b *blame.State, _ time.Time) blame.Verdict { return b.Arrived(keyOf(it.Delivery)) })
		if v.Do == blame.GiveBack {
			return ErrCircuitOpen
		}
		wait(f.ctx, time.Until(v.At))
		done, err := f.alone(f.ctx, it.Delivery)
		if err != nil {
			return err
		}
		if done {
			return acknowledge([]*item{it})
		}
	}
	return nil
}

// alone tries a message that has failed before, and sets it aside where the rule says so.
func (f *feed) alone(ctx context.Context, d Delivery) (done bool, err error) {
	f.turn.Lock()
	defer f.turn.Unlock()
	if ctx.Err() != nil {
		return false, nil
	}
	failed := f.attempt(ctx, []Delivery{d}, f.Handle)
	if failed == nil && len(f.later.take([]Delivery{d})) > 0 {
		failed = &failure{err: errPutOff, reached: true}
	}
	if failed == nil {
		return true, nil
	}
	if ctx.Err() != nil {
		return false, nil
	}
	v, err := f.judged(ctx, []Delivery{d}, failed)
	if err != nil || v.Do != blame.SetAside {
		return false, err
	}
	return f.setAside(ctx, d, failed.err)
}

// setAside writes the message's quarantine row. Where that fails the message stays held.
func (f *feed) setAside(ctx context.Context, d Delivery, why error) (done bool, err error) {
	failed := f.attempt(ctx, []Delivery{d}, func(context.Context, pgx.Tx, []Delivery) ([]Rejection, error) {
		return []Rejection{{Index: 0, Code: Failing, Reason: "it fails, again and again, and others do not: " + withoutValues(why)}}, nil
	})
	if failed != nil {
		f.trouble.ofWork(fmt.Errorf("set a message aside: %w", failed.err))
		return false, nil
	}
	f.judge.tell(func(b *blame.State) { b.Forget(keyOf(d)) })
	return true, nil
}

// probe begins a session while the circuit is open: one message after another is tried
// alone, until one commits or fails. After a commit the rest is handed out.
func (d *dispatcher) probe(ctx context.Context, source Source, f *feed) error {
	if d.judge.suspended() == nil {
		return nil
	}
	arrived, err := d.gather(ctx, source)
	if err != nil {
		return fmt.Errorf("receive from %w: %w", ErrBroker, err)
	}
	if len(arrived) == 0 {
		d.judge.tell((*blame.State).Idle)
		d.trouble.ofWork(nil)
		d.Log.Info("the circuit is closed: no message waits")
		return nil
	}
	work, cancel := outlive(ctx, d.grace)
	defer cancel()
	for d.judge.suspended() != nil && len(arrived) > 0 {
		i := d.candidate(arrived)
		ok, err := f.alone(work, arrived[i].Delivery)
		if err != nil {
			return err
		}
		if !ok { // it failed, and another has closed the circuit meanwhile
			break
		}
		// It has committed, or was rejected, which says nothing of the others.
		if err := acknowledge(arrived[i : i+1]); err != nil {
			return fmt.Errorf("acknowledge what is done to %w, it will be delivered again: %w", ErrBroker, err)
		}
		arrived = slices.Delete(arrived, i, i+1)
	}
	if d.judge.suspended() != nil {
		return ErrCircuitOpen
	}
	d.enter(f, arrived)
	return nil
}

// gather receives what a probe may choose from: until nothing more comes. The first to come
// is the one that was given back first, often the one that fails; alone it would be probed
// with again and again, and keep the circuit open for all others.
func (d *dispatcher) gather(ctx context.Context, source Source) (arrived []*item, err error) {
	for patience := d.rule.Probe.Max; len(arrived) < d.MaxBatch; patience = d.timing.gather {
		look, cancel := context.WithTimeout(ctx, patience)
		batch, err := source.Receive(look, d.MaxBatch)
		over := look.Err() != nil
		cancel()
		if err != nil && over && ctx.Err() == nil {
			break
		}
		if err != nil {
			return nil, err
		}
		arrived = append(arrived, items(batch)...)
	}
	return arrived, nil
}

func (c *consumer) candidate(arrived []*item) int {
	keys := make([]blame.Key, len(arrived))
	for i, it := range arrived {
		keys[i] = keyOf(it.Delivery)
	}
	c.judge.mu.Lock()
	defer c.judge.mu.Unlock()
	return c.judge.blame.Candidate(keys)
}

func all(ds []Delivery) []int {
	places := make([]int, len(ds))
	for i := range places {
		places[i] = i
	}
	return places
}
