package app

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"go.example/saga/internal/address"
)

func TestLogIsScrubbed(t *testing.T) {
	t.Parallel()
	_, err := address.Brokers("amqp://me:scrubbedFromLogs@h/v")
	require.NoError(t, err)
	core, seen := observer.New(zap.InfoLevel)
	log := zap.New(scrubbing{core}).With(zap.String("with", "scrubbedFromLogs"))
	log.Debug("not enabled")
	log.Warn("a scrubbedFromLogs", zap.Error(errors.New("b scrubbedFromLogs")), zap.String("c", "scrubbedFromLogs"), zap.Int("n", 1), zap.Error(nil))
	require.Len(t, seen.All(), 1)
	require.Equal(t, "a ***", seen.All()[0].Message)
	require.Equal(t, map[string]any{"with": "***", "error": "b ***", "c": "***", "n": int64(1)}, seen.All()[0].ContextMap())
}
