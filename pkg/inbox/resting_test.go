package inbox

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// Programs that are started together wait for each other: only a wait that lasts is an error,
// and it is told once.
func TestAWaitThatLastsIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, told := observer.New(zapcore.DebugLevel)
		log := zap.New(core)
		levels := func() (found []zapcore.Level) {
			for _, entry := range told.TakeAll() {
				found = append(found, entry.Level)
			}
			return found
		}
		var rest resting
		for range 10 {
			rest.tell(log, errors.New("no relay"))
			time.Sleep(time.Second) //nolint:forbidigo // the clock is the bubble's
		}
		require.Equal(t, []zapcore.Level{zapcore.WarnLevel}, levels())
		for range 60 {
			rest.tell(log, errors.New("no relay"))
			time.Sleep(time.Second) //nolint:forbidigo // the clock is the bubble's
		}
		require.Equal(t, []zapcore.Level{zapcore.ErrorLevel}, levels())
	})
}
