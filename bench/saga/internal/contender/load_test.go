package contender

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/bench/saga/internal/booking"
)

// desk accepts an order after one second and ends it after ten.
type desk struct {
	mu                     sync.Mutex
	placing, running, most int
	mostPlacing            int
}

func (d *desk) place(context.Context, booking.Order) (end, error) {
	d.count(1, 1)
	time.Sleep(time.Second) //nolint:forbidigo // the clock is the bubble's
	d.count(-1, 0)
	ended := time.After(9 * time.Second)
	return func(context.Context) error {
		<-ended
		d.count(0, -1)
		return nil
	}, nil
}

func (d *desk) count(placing, running int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.placing += placing
	d.running += running
	d.mostPlacing = max(d.mostPlacing, d.placing)
	d.most = max(d.most, d.running)
}

// Clients go on when an order is accepted, until as many are under way as may be; the
// load ends when all orders have, and their times include the wait for the end.
func TestClientsGoOn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		running, most int
		seconds       float64
	}{
		{running: 100, most: 40, seconds: 19}, // every second 4; the last ones at 9
		{running: 20, most: 20, seconds: 24},  // 20 within 5 seconds, which end from 10 on
		{running: 4, most: 4, seconds: 100},   // each waits for the end
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &desk{}
			begin := time.Now()
			times, err := Load{Orders: 40, Clients: 4, Running: test.running}.run(t.Context(), d.place)
			require.NoError(t, err)
			require.InDelta(t, test.seconds, time.Since(begin).Seconds(), 0.01)
			require.Equal(t, []int{4, test.most}, []int{d.mostPlacing, d.most})
			require.EqualValues(t, 40, times.TotalCount())
			require.InDelta(t, 10e6, times.Min(), 1e5)
		})
	}
}

// An order that is not accepted or does not end stops the load.
func TestALoadStops(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for says, do := range map[string]place{
		"order 7: broken": func(context.Context, booking.Order) (end, error) { return nil, broken },
		"saga of nobody: it does not end": func(context.Context, booking.Order) (end, error) {
			return newEndings().of("nobody"), nil
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, err := Load{First: 7, Orders: 100, Clients: 1, Running: 1}.run(t.Context(), do)
			require.ErrorContains(t, err, says)
		})
	}
}
