package app

import (
	"fmt"
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"go.example/saga/internal/address"
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
	}.Build(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return scrubbing{core} }))
}

// scrubbing takes the passwords out of what the other side said, see [address.Scrub].
type scrubbing struct{ zapcore.Core }

func (s scrubbing) With(fields []zapcore.Field) zapcore.Core {
	return scrubbing{s.Core.With(scrubFields(fields))}
}

func (s scrubbing) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if s.Enabled(entry.Level) {
		return checked.AddCore(entry, s)
	}
	return checked
}

func (s scrubbing) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	entry.Message = address.Scrub(entry.Message)
	return s.Core.Write(entry, scrubFields(fields))
}

// scrubFields looks at the fields that hold texts of others: strings and errors.
func scrubFields(fields []zapcore.Field) []zapcore.Field {
	fields = slices.Clone(fields)
	for i, f := range fields {
		switch err, _ := f.Interface.(error); {
		case f.Type == zapcore.StringType:
			fields[i].String = address.Scrub(f.String)
		case f.Type == zapcore.ErrorType && err != nil:
			fields[i] = zap.String(f.Key, address.Scrub(err.Error()))
		}
	}
	return fields
}
