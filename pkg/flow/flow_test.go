package flow_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/flow"
)

func TestASteadyRateIsLearned(t *testing.T) {
	t.Parallel()
	var m flow.Meter
	now := time.Unix(0, 0)
	for range 100 {
		m.Saw(20, now)
		now = now.Add(10 * time.Millisecond)
	}
	require.InDelta(t, 2000, m.PerSecond(), 20)
	m.Saw(0, now.Add(time.Second))
	require.Less(t, m.PerSecond(), 1.0, "a quiet second and it is forgotten")
}

func TestAFewTogetherAreNoLoad(t *testing.T) {
	t.Parallel()
	var m flow.Meter
	now := time.Unix(0, 0)
	m.Saw(5, now)
	require.Zero(t, m.PerSecond())
	for range 3 { // within a millisecond, after a pause
		now = now.Add(300 * time.Microsecond)
		m.Saw(1, now)
	}
	require.Less(t, m.PerSecond(), 100.0)
}
