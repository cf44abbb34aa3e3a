package contender

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sync/errgroup"

	"go.example/saga/bench/saga/internal/booking"
)

// endTime bounds the wait for the end of one order.
const endTime = time.Minute

// arrivalSeed makes every run place its orders at the same times.
const arrivalSeed = 20260101

// Load is a number of orders to carry out.
type Load struct {
	First, Orders int
	// Clients place orders at the same time, each one after the other: the next one as
	// soon as the one before is accepted.
	Clients int
	// Running is how many orders may be under way: while there are as many, the clients
	// wait for room. As many as there are clients is as if each waited for the end.
	Running int
	// PerSecond places orders at random times instead, as independent guests come; so
	// many a second on average.
	PerSecond float64
}

// place places one order. It returns when the order is accepted, that is, when it
// will end whatever becomes of the client, and the end that can be waited for.
type place func(context.Context, booking.Order) (end, error)

// end returns when the order has ended.
type end func(context.Context) error

// timed places the order of a number. To wait is to wait for its end and take its time.
type timed func(ctx context.Context, n int) (wait func() error, err error)

// run carries out the load and takes the time of every order from its placing to its
// end, in microseconds.
func (l Load) run(ctx context.Context, do place) (*hdrhistogram.Histogram, error) {
	times, mu := NewHistogram(), sync.Mutex{}
	one := func(ctx context.Context, n int) (wait func() error, err error) {
		ctx, cancel := context.WithTimeoutCause(ctx, endTime, errors.New("it does not end"))
		begin := time.Now()
		ended, err := do(ctx, booking.Order(n))
		if err != nil {
			cancel()
			return nil, fmt.Errorf("order %d: %w", n, err)
		}
		return func() error {
			defer cancel()
			if err := ended(ctx); err != nil {
				return fmt.Errorf("order %d: %w", n, err)
			}
			mu.Lock()
			defer mu.Unlock()
			return times.RecordValue(max(1, time.Since(begin).Microseconds()))
		}, nil
	}
	if l.PerSecond > 0 {
		return times, l.atRandom(ctx, one)
	}
	return times, l.oneByOne(ctx, one)
}

// oneByOne has the clients place orders as fast as these are accepted.
func (l Load) oneByOne(ctx context.Context, one timed) error {
	group, ctx := errgroup.WithContext(ctx)
	room := make(chan struct{}, l.Running)
	var next atomic.Int64
	for range l.Clients {
		group.Go(func() error {
			for {
				n := int(next.Add(1)) - 1
				if n >= l.Orders {
					return nil
				}
				select {
				case room <- struct{}{}:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
				wait, err := one(ctx, l.First+n)
				if err != nil {
					return err
				}
				group.Go(func() error {
					defer func() { <-room }()
					return wait()
				})
			}
		})
	}
	return group.Wait()
}

// atRandom places orders at random times.
func (l Load) atRandom(ctx context.Context, one timed) error {
	group, ctx := errgroup.WithContext(ctx)
	chance := rand.New(rand.NewPCG(arrivalSeed, 0)) //nolint:gosec // must repeat itself
	at := time.Now()
	for n := range l.Orders {
		at = at.Add(time.Duration(chance.ExpFloat64() / l.PerSecond * float64(time.Second)))
		select {
		case <-time.After(time.Until(at)):
			group.Go(func() error {
				wait, err := one(ctx, l.First+n)
				if err != nil {
					return err
				}
				return wait()
			})
		case <-ctx.Done():
			return group.Wait()
		}
	}
	return group.Wait()
}

// NewHistogram holds microseconds up to two minutes with three digits.
func NewHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 120_000_000, 3) }
