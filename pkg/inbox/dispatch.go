package inbox

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// stagger is for how long a transaction keeps others from beginning beside it. Work that is
// done within it is done in one transaction after another, and what comes meanwhile shares
// the next commit; only slower work has more than one worker.
const stagger = 50 * time.Millisecond

// item is a delivery that waits for its turn or is in hand.
type item struct {
	Delivery
	key   string
	feed  *feed
	batch *received
	place int
	due   time.Time // not to be taken before
	taken bool
	// work and since are what it asks for and when it arrived, see [Config.Work].
	work  string
	since time.Time
}

// received is a batch as it came. What implements Batch need not be comparable.
type received struct{ Batch }

// hand is what one transaction is given.
type hand struct {
	items []*item
	begun time.Time
	slow  bool // it may take longer than the budget
	trial bool // it is expected to, and there is no other worker left for the rest
}

type trialKey struct{}

// OnTrial says of a handler's context that it works for the last worker that is free of slow
// deliveries, on one that is only expected to be slow. Where it takes longer than others of
// its kind it should be put off, as a delivery that is certain to be slow: else some that
// hang hold up all the others.
func OnTrial(ctx context.Context) bool { return ctx.Value(trialKey{}) != nil }

// dispatcher hands out the deliveries of all sessions to the workers. It outlives sessions,
// so that work goes on while the broker is away, and what comes again of it waits for it.
type dispatcher struct {
	*consumer
	workers sync.WaitGroup

	mu      sync.Mutex
	waiting []*item // in the order of arrival
	busy    map[string]bool
	hands   map[*hand]bool
	kept    map[*item]bool // they failed alone and are held
	serial  uint64
	// hungry: a worker has looked through what waits and found nothing for it.
	hungry  bool
	changed chan struct{} // is closed with each change, and made anew
}

func newDispatcher(c *consumer) *dispatcher {
	return &dispatcher{consumer: c, busy: map[string]bool{}, hands: map[*hand]bool{}, kept: map[*item]bool{}, changed: make(chan struct{})}
}

// start begins the workers. They end with ctx, after what they have in hand, which ends
// with work at the latest.
func (d *dispatcher) start(ctx, work context.Context) {
	for range d.Workers {
		d.workers.Go(func() {
			for h := d.take(ctx, d.pick); h != nil; h = d.take(ctx, d.pick) {
				d.carryOut(work, h)
			}
		})
	}
	if d.Work == nil {
		return
	}
	// What only has to be answered needs no worker, because all may hang.
	d.workers.Go(func() {
		for h := d.take(ctx, d.pickRepeated); h != nil; h = d.take(ctx, d.pickRepeated) {
			d.carryOut(work, h)
		}
	})
}

// change tells everybody who waits to look again.
func (d *dispatcher) change() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// serve takes deliveries from a session while there is a worker for them, until it ends.
// What piles up meanwhile comes as one batch. Where some may ask for work that waits already,
// it looks for them once a budget also while there is none.
func (d *dispatcher) serve(ctx context.Context, source Source, f *feed) error {
	for received := time.Now(); ; received = time.Now() {
		if err := d.room(ctx, received.Add(d.Budget)); err != nil {
			return err
		}
		batch, err := source.Receive(ctx, d.MaxBatch)
		if err != nil {
			return cmp.Or(context.Cause(ctx), fmt.Errorf("receive from %w: %w", ErrBroker, err))
		}
		d.enter(f, items(batch))
	}
}

// room waits for a worker, where [Config.Work] is set until the given time at most.
func (d *dispatcher) room(ctx context.Context, until time.Time) error {
	over := (<-chan time.Time)(nil)
	if d.Work != nil {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		over = timer.C
	}
	for {
		d.mu.Lock()
		hungry, changed := d.hungry, d.changed
		d.mu.Unlock()
		if hungry {
			return nil
		}
		select {
		case <-changed:
		case <-over:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// items are the deliveries of a batch.
func items(batch Batch) []*item {
	whole, deliveries := &received{batch}, batch.Deliveries()
	all := make([]*item, len(deliveries))
	for place, delivery := range deliveries {
		all[place] = &item{Delivery: delivery, batch: whole, place: place}
	}
	return all
}

// enter puts what a session has delivered into the row of those who wait.
func (d *dispatcher) enter(f *feed, arrived []*item) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for _, it := range arrived {
		d.serial++
		it.serial, it.feed, it.since = d.serial, f, now
		if d.Work != nil {
			it.work = d.Work(it.Delivery)
		}
		if d.Key != nil {
			it.key = d.Key(it.Delivery)
		}
		if it.Redelivered {
			it.due = d.cameAgain(it.Delivery)
		}
	}
	d.waiting = append(d.waiting, arrived...)
	d.hungry = false
	d.change()
}

// leave forgets what waits of a session that has ended: it comes again.
func (d *dispatcher) leave(f *feed) (progress bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting = slices.DeleteFunc(d.waiting, func(it *item) bool { return it.feed == f })
	f.ended = true
	return f.progress
}

// take waits for work; nil at the end of ctx.
func (d *dispatcher) take(ctx context.Context, pick func(time.Time) (*hand, time.Duration, <-chan struct{})) *hand {
	for ctx.Err() == nil {
		h, pause, changed := pick(time.Now())
		if h != nil {
			return h
		}
		over := (<-chan time.Time)(nil)
		stop := func() bool { return true }
		if pause > 0 {
			timer := time.NewTimer(pause)
			over, stop = timer.C, timer.Stop
		}
		select {
		case <-over:
		case <-changed:
		case <-ctx.Done():
		}
		stop()
	}
	return nil
}

// pick takes what one transaction is to do: in the order of arrival, at most MaxBatch, what
// fits into the budget. What does not fit by itself is taken alone, and so is what was delivered
// before. One worker is kept for
// the rest: it takes nothing that is certain to be slow, and the others on trial.
func (d *dispatcher) pick(now time.Time) (h *hand, pause time.Duration, changed <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	slow := 0
	for other := range d.hands {
		pause = max(pause, other.begun.Add(stagger).Sub(now))
		if other.slow {
			slow++
		}
	}
	if pause > 0 {
		return nil, pause, d.changed
	}
	h = &hand{begun: now}
	next := d.fill(h, slow < max(1, d.Workers-1))
	if len(h.items) == 0 {
		if !d.hungry {
			d.hungry = true
			d.change()
		}
		if !next.IsZero() {
			pause = max(next.Sub(now), time.Nanosecond)
		}
		return nil, pause, d.changed
	}
	d.waiting = slices.DeleteFunc(d.waiting, func(it *item) bool { return it.taken })
	d.hands[h] = true
	return h, 0, nil
}

// fill says when the first of those is due that are not yet; zero: there are none.
func (d *dispatcher) fill(h *hand, slowToo bool) (next time.Time) {
	passed, spent := map[string]bool{}, time.Duration(0)
	held := map[string]bool{} // what asks for it again is only answered
	for it := range d.kept {
		held[it.work] = it.work != "" && !it.Repeated
	}
	for _, it := range d.waiting {
		if len(h.items) == d.MaxBatch {
			break
		}
		if it.key != "" && (d.busy[it.key] || passed[it.key]) || held[it.work] {
			continue
		}
		if it.due.After(h.begun) {
			passed[it.key] = true
			if next.IsZero() || it.due.Before(next) {
				next = it.due
			}
			continue
		}
		cost, certain := d.cost(it.Delivery)
		slow := cost >= d.Budget
		alone := slow || it.Redelivered
		if alone && len(h.items) > 0 || slow && certain && !slowToo {
			passed[it.key] = true
			continue
		}
		if !alone && spent+cost > d.Budget {
			break
		}
		spent += cost
		it.taken = true
		h.items = append(h.items, it)
		if slow {
			h.slow, h.trial = slowToo, !slowToo
		}
		if alone {
			break
		}
	}
	for _, it := range h.items {
		if it.key != "" {
			d.busy[it.key] = true
		}
	}
	return next
}

func (d *dispatcher) cost(delivery Delivery) (expected time.Duration, certain bool) {
	if d.Cost == nil {
		return 0, false
	}
	return d.Cost(delivery)
}

// carryOut does what is in hand and acknowledges it. What fails alone is kept beside: its
// key is free, and what came after it goes on. An error ends the sessions that it came from.
func (d *dispatcher) carryOut(ctx context.Context, h *hand) {
	deliveries := make([]Delivery, len(h.items))
	for i, it := range h.items {
		deliveries[i] = it.Delivery
	}
	work := ctx
	if h.trial {
		work = context.WithValue(ctx, trialKey{}, true)
	}
	held, err := d.process(work, deliveries, all(deliveries))
	later := d.later.take(deliveries)
	var done, keep []*item
	for i, it := range h.items {
		switch {
		case slices.Contains(held, i):
			keep = append(keep, it)
		case !later[it.serial]:
			done = append(done, it)
		}
	}
	if err != nil {
		err = fmt.Errorf("process a batch, it will be delivered again: %w", err)
	} else if err = acknowledge(done); err != nil {
		err = fmt.Errorf("acknowledge a processed batch to %w, it will be delivered again: %w", ErrBroker, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, it := range h.items {
		delete(d.busy, it.key)
		if err != nil {
			it.feed.end(err)
			continue
		}
		it.feed.progress = true
		if slices.Contains(keep, it) {
			d.keep(it.feed, it)
		} else if later[it.serial] {
			it.taken = false
			d.waiting = append(d.waiting, it)
		}
	}
	slices.SortStableFunc(d.waiting, func(a, b *item) int { return cmp.Compare(a.serial, b.serial) })
	delete(d.hands, h)
	d.change()
}

// acknowledge confirms what is done, whole batches at once.
func acknowledge(items []*item) error {
	done := map[*received][]int{}
	for _, it := range items {
		done[it.batch] = append(done[it.batch], it.place)
	}
	for batch, places := range done {
		if len(places) == len(batch.Deliveries()) {
			if err := batch.Ack(); err != nil {
				return err
			}
			continue
		}
		for _, place := range places {
			if err := batch.AckOnly(place); err != nil {
				return err
			}
		}
	}
	return nil
}
