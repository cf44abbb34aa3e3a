package rabbit

import (
	"context"
	"fmt"
	"time"

	"go.example/saga/pkg/inbox"
)

const (
	// linger is how long at most a batch that is not full waits for more under load: time
	// enough to share a commit, too short for anybody to notice.
	linger = 10 * time.Millisecond
	// lingerFrom is the load, in deliveries a second: from there on a wait brings five more.
	lingerFrom = 500
)

// batch is a run of deliveries without gaps.
type batch struct {
	consumer    *Consumer
	first, last uint64
	deliveries  []inbox.Delivery
}

// Receive waits for a delivery and returns it with all others that have arrived,
// at most max. From 500 deliveries a second on there is load, and a batch may wait up to
// 10 ms to fill up; a consumer with little to do never waits.
//
// An error ends the session, except that of ctx.
func (c *Consumer) Receive(ctx context.Context, max int) (inbox.Batch, error) {
	if max < 1 {
		return nil, fmt.Errorf("receive: max is %d, want at least 1", max)
	}
	if err := c.session.reason(); err != nil {
		return nil, fmt.Errorf("receive: %w", err) // what is in the buffer can no longer be acknowledged
	}
	var one arrival
	select {
	case one = <-c.arrived:
	case <-c.session.done:
		return nil, fmt.Errorf("receive: %w", c.session.reason())
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	full := min(max, cap(c.arrived))
	b := &batch{consumer: c, first: one.tag, deliveries: make([]inbox.Delivery, 0, min(full, 1+len(c.arrived)))}
	b.add(one)
	b.fill(full)
	c.load.Saw(0, time.Now()) // what came long ago is no load
	if c.lingers() {
		b.wait(ctx, full)
	}
	c.load.Saw(len(b.deliveries), time.Now())
	b.outstanding()
	return b, nil
}

func (c *Consumer) lingers() bool { return c.load.PerSecond() >= lingerFrom }

func (b *batch) add(a arrival) {
	b.last = a.tag
	b.deliveries = append(b.deliveries, a.delivery)
}

// fill takes what is there.
func (b *batch) fill(full int) {
	for len(b.deliveries) < full {
		select {
		case a := <-b.consumer.arrived:
			b.add(a)
		default:
			return
		}
	}
}

// wait takes what comes while it lingers.
func (b *batch) wait(ctx context.Context, full int) {
	if len(b.deliveries) >= full {
		return
	}
	over := time.NewTimer(linger)
	defer over.Stop()
	for len(b.deliveries) < full {
		select {
		case a := <-b.consumer.arrived:
			b.add(a)
		case <-over.C:
			return
		case <-b.consumer.session.done:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (b *batch) outstanding() {
	b.consumer.ack.Lock()
	defer b.consumer.ack.Unlock()
	for tag := b.first; tag <= b.last; tag++ {
		b.consumer.unacked[tag] = true
	}
}

// Deliveries implements [inbox.Batch].
func (b *batch) Deliveries() []inbox.Delivery { return b.deliveries }

// Ack acknowledges the batch: with one frame that covers all deliveries up to its last,
// or, while earlier ones are not acknowledged, with one each.
// Nil means that the ack is on its way; when the session is lost before it
// arrives, the deliveries come again.
func (b *batch) Ack() error { return b.confirm(b.first, b.last) }

// AckOnly acknowledges one delivery of the batch.
func (b *batch) AckOnly(place int) error {
	if place < 0 || place >= len(b.deliveries) {
		return fmt.Errorf("acknowledge delivery %d of a batch of %d", place, len(b.deliveries))
	}
	tag := b.first + uint64(place)
	return b.confirm(tag, tag)
}

func (b *batch) confirm(first, last uint64) error {
	c := b.consumer
	c.ack.Lock()
	defer c.ack.Unlock()
	if err := c.session.reason(); err != nil {
		return fmt.Errorf("acknowledge deliveries %d to %d, they will come again: %w", first, last, err)
	}
	// To acknowledge one twice would end the channel.
	for tag := first; tag <= last; tag++ {
		if !c.unacked[tag] {
			return fmt.Errorf("acknowledge deliveries %d to %d: %d was acknowledged before", first, last, tag)
		}
	}
	earlier := false
	for tag := range c.unacked {
		earlier = earlier || tag < first
	}
	err := error(nil)
	if !earlier {
		err = c.session.channel.Ack(last, true)
	}
	for tag := first; tag <= last && err == nil; tag++ {
		if earlier {
			err = c.session.channel.Ack(tag, false)
		}
		delete(c.unacked, tag)
	}
	if err != nil {
		c.session.broken(err)
		return fmt.Errorf("acknowledge deliveries %d to %d, they will come again: %w", first, last, c.session.reason())
	}
	return nil
}
