package app

import (
	"fmt"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Logger makes the process's log on standard error. Level is debug, info, warn
// or error; format is json, or console for people. Empty means info and json.
func Logger(level, format string) (*zap.Logger, error) {
	at, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("LOG_LEVEL %q is none of debug, info, warn, error", level)
	}
	encoding := zap.NewProductionEncoderConfig()
	encoding.TimeKey = "time"
	encoding.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	encoding.EncodeDuration = zapcore.StringDurationEncoder
	switch format {
	case "":
		format = "json"
	case "json":
	case "console":
		encoding.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		encoding.EncodeLevel = zapcore.CapitalLevelEncoder
	default:
		return nil, fmt.Errorf("LOG_FORMAT %q is neither json nor console", format)
	}
	// No sampling: every line is about a change of state, none about a message.
	return zap.Config{
		Level:             zap.NewAtomicLevelAt(at),
		Encoding:          format,
		EncoderConfig:     encoding,
		DisableCaller:     true,
		DisableStacktrace: true,
		OutputPaths:       []string{"stderr"},
		ErrorOutputPaths:  []string{"stderr"},
	}.Build()
}
