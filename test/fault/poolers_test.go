package fault

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/orchestrator"
	"go.example/saga/internal/config"
	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/dev/stack/stacktest"
)

// All programs work behind a pooler in transaction mode that has two sessions for each
// database, with a second orchestrator beside the first: nothing fails, nothing is set aside.
func TestSagasBehindPoolers(t *testing.T) {
	t.Parallel()
	s, reservation := stacktest.StartBehindPoolers(t)
	second := orchestrator.DefaultSettings()
	second.DatabaseURL, second.AMQPURL, second.LogLevel = config.Secret(reservation), config.Secret(s.AMQP), "error"
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- orchestrator.Run(ctx, second) }()
	ids := arrive(t, s, 200).served(t)
	recovered(t, s, ids, time.Now())
	stop()
	require.NoError(t, <-ended)
	for _, name := range stack.Daemons {
		text, err := os.ReadFile(s.LogFile(name))
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			require.NotContains(t, line, "\tERROR\t", name)
		}
	}
}
