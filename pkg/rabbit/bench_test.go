package rabbit_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/rabbit"
)

// BenchmarkPublish sends the same command through a window of 1024 to a quorum
// queue, as the relay does.
func BenchmarkPublish(b *testing.B) {
	url := testenv.Vhost(b)
	require.NoError(b, rabbit.Declare(b.Context(), at(url), rabbit.ReplyTopology(replies)))
	p, err := rabbit.OpenPublisher(b.Context(), at(url), 1024)
	require.NoError(b, err)
	record := to(replies, 1)
	record.Headers = map[string]string{"cloudEvents_sagaid": "s", "cloudEvents_sagastep": "payment", "cloudEvents_sagaop": "REQUEST"}

	waits := make(chan func(context.Context) error, 1024)
	settled := make(chan error, 1)
	go func() {
		var last error
		for wait := range waits {
			if err := wait(b.Context()); err != nil {
				last = err
			}
		}
		settled <- last
	}()
	b.ReportAllocs()
	for b.Loop() {
		wait, err := p.Publish(b.Context(), record)
		require.NoError(b, err)
		waits <- wait
	}
	close(waits)
	require.NoError(b, <-settled)
	b.StopTimer()
	require.NoError(b, p.Close())
}
