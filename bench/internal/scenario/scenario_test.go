package scenario

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"go.example/saga/bench/internal/contender"
	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/internal/stats"
	"go.example/saga/bench/internal/wire"
)

func TestDrainBars(t *testing.T) {
	t.Parallel()
	of := func(rates ...float64) (all []figures) {
		for _, r := range rates {
			all = append(all, figures{rate: r, cpu: lab.Reading{Own: 3, Postgres: math.NaN(), Broker: 1}})
		}
		return all
	}
	d := drains{
		contender.Pure: of(100, 200, 100), contender.Relay: of(90, 194, 97),
		contender.Watermill: of(10, 20, 12), contender.River: of(50, 100, 50),
	}
	bars := map[string]stats.Bar{}
	for _, b := range drainBars(lab.Classic, d) {
		bars[b.Name] = b
	}
	require.InDelta(t, 0.97, bars["drain.classic.publisher"].Value, 1e-9)
	require.True(t, bars["drain.classic.publisher"].Met())
	require.True(t, bars["drain.classic.watermill"].Met())
	require.False(t, bars["drain.classic.river"].Met())
	require.True(t, bars["drain.classic.relay-cpu"].Met())
	require.False(t, bars["drain.classic.postgres-cpu"].Met(), "what was not measured is short")
	require.Equal(t, []string{"classic", "relay", "97.0 (90.0–194)", "1.000", "3.000", "n/a", "1.000", "0.000"},
		drainRow(lab.Classic, contender.Relay, d))
}

// loop delivers what is sent after a while, some of it twice.
func loop(deliveries chan amqp.Delivery, after time.Duration) send {
	source := wire.NewSource("q", keyed)
	return func(ctx context.Context, n int, leave func()) error {
		leave()
		select {
		case <-time.After(after):
		case <-ctx.Done():
			return ctx.Err()
		}
		for range 1 + n%2 {
			deliveries <- amqp.Delivery{Body: source.Message(n).Payload}
		}
		return nil
	}
}

func TestClockTakesEveryMessageOnce(t *testing.T) {
	t.Parallel()
	deliveries := make(chan amqp.Delivery, 1000)
	c := newClock(deliveries)
	const after = 20 * time.Millisecond
	for range 2 {
		times, err := c.round(t.Context(), loop(deliveries, after), 500, 100*time.Millisecond)
		require.NoError(t, err)
		require.EqualValues(t, 50, times.TotalCount())
		require.GreaterOrEqual(t, times.Min(), after.Microseconds()-50) // the histogram's rounding
	}
}

func TestClockReportsWhatFails(t *testing.T) {
	t.Parallel()
	deliveries := make(chan amqp.Delivery)
	broken := errors.New("broken")
	_, err := newClock(deliveries).round(t.Context(), func(context.Context, int, func()) error { return broken }, 500, time.Second)
	require.ErrorIs(t, err, broken)
	close(deliveries)
	_, err = newClock(deliveries).round(t.Context(), func(context.Context, int, func()) error { return nil }, 500, time.Second)
	require.ErrorContains(t, err, "ended")
}
