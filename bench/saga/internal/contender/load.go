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
	// InFlight is how many are under way at all times: as fast as one ends, the next
	// is begun.
	InFlight int
	// PerSecond begins orders at random times instead, as independent guests come; so
	// many a second on average.
	PerSecond float64
}

// carry carries out one order and returns when it has ended.
type carry func(context.Context, booking.Order) error

// run carries out the load and takes the time of every order, in microseconds.
func (l Load) run(ctx context.Context, do carry) (*hdrhistogram.Histogram, error) {
	times, mu := NewHistogram(), sync.Mutex{}
	one := func(ctx context.Context, n int) error {
		ctx, cancel := context.WithTimeoutCause(ctx, endTime, errors.New("it does not end"))
		defer cancel()
		begin := time.Now()
		if err := do(ctx, booking.Order(n)); err != nil {
			return fmt.Errorf("order %d: %w", n, err)
		}
		mu.Lock()
		defer mu.Unlock()
		return times.RecordValue(max(1, time.Since(begin).Microseconds()))
	}
	if l.PerSecond > 0 {
		return times, l.open(ctx, one)
	}
	return times, l.closed(ctx, one)
}

func (l Load) closed(ctx context.Context, one func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range l.InFlight {
		group.Go(func() error {
			for {
				n := int(next.Add(1)) - 1
				if n >= l.Orders || ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if err := one(ctx, l.First+n); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

func (l Load) open(ctx context.Context, one func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	chance := rand.New(rand.NewPCG(arrivalSeed, 0)) //nolint:gosec // must repeat itself
	at := time.Now()
	for n := range l.Orders {
		at = at.Add(time.Duration(chance.ExpFloat64() / l.PerSecond * float64(time.Second)))
		select {
		case <-time.After(time.Until(at)):
			group.Go(func() error { return one(ctx, l.First+n) })
		case <-ctx.Done():
			return group.Wait()
		}
	}
	return group.Wait()
}

// NewHistogram holds microseconds up to two minutes with three digits.
func NewHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 120_000_000, 3) }
