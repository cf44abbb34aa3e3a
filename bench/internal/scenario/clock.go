package scenario

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"

	"go.example/saga/bench/internal/wire"
)

// arrivalTime bounds the wait for a message that was sent.
const arrivalTime = 30 * time.Second

// arrivalSeed makes every run send at the same times.
const arrivalSeed = 20260101

// clock takes the times of messages between their leaving and their arrival, both
// in this process.
type clock struct {
	deliveries <-chan amqp.Delivery
	next       int // the number of the next message
	chance     *rand.Rand
}

func newClock(deliveries <-chan amqp.Delivery) *clock {
	return &clock{
		deliveries: deliveries,
		chance:     rand.New(rand.NewPCG(arrivalSeed, 0)), //nolint:gosec // must repeat itself
	}
}

// trip is when a message left.
type trip struct{ left atomic.Int64 }

func (t *trip) leave() { t.left.Store(time.Now().UnixNano()) }

// round sends at random times for a while. One message goes ahead and is not
// timed: the first one opens connections and wakes what sleeps.
func (c *clock) round(ctx context.Context, by send, perSecond int, lasting time.Duration) (*hdrhistogram.Histogram, error) {
	if _, err := c.timed(ctx, by, perSecond, 1); err != nil {
		return nil, err
	}
	return c.timed(ctx, by, perSecond, max(1, int(lasting.Seconds()*float64(perSecond))))
}

func (c *clock) timed(ctx context.Context, by send, perSecond, count int) (*hdrhistogram.Histogram, error) {
	trips := make([]trip, count)
	first := c.next
	c.next += count
	times := newHistogram()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.receive(ctx, trips, first, times) })
	due := make(chan int, count)
	for range writers {
		group.Go(func() error {
			for i := range due {
				if err := by(ctx, first+i, trips[i].leave); err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(due)
		return c.pace(ctx, perSecond, count, due)
	})
	return times, group.Wait()
}

// pace makes messages due at random times, as independent customers come.
func (c *clock) pace(ctx context.Context, perSecond, count int, due chan<- int) error {
	at := time.Now()
	for i := range count {
		at = at.Add(time.Duration(c.chance.ExpFloat64() / float64(perSecond) * float64(time.Second)))
		select {
		case <-time.After(time.Until(at)):
			due <- i
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// receive takes the times until every message has arrived; a repetition counts
// once, with its first arrival.
func (c *clock) receive(ctx context.Context, trips []trip, first int, times *hdrhistogram.Histogram) error {
	missing := len(trips)
	for missing > 0 {
		select {
		case d, open := <-c.deliveries:
			now := time.Now().UnixNano()
			if !open {
				return errors.New("the consumer's channel has ended")
			}
			n, err := wire.Number(d.Body)
			if err != nil {
				return err
			}
			if n < first || n >= first+len(trips) {
				continue // of an earlier round, again
			}
			left := trips[n-first].left.Swap(arrived)
			if left == arrived {
				continue
			}
			missing--
			if err := times.RecordValue(max(1, (now-left)/int64(time.Microsecond))); err != nil {
				return fmt.Errorf("a message took too long: %w", err)
			}
		case <-time.After(arrivalTime):
			return fmt.Errorf("%d messages did not arrive within %v", missing, arrivalTime)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// arrived marks a trip that is over.
const arrived = -1
