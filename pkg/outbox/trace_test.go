package outbox_test

import (
	"context"
	"database/sql"
	"maps"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	sagasql "go.example/saga/sql"
)

// within returns a context in which a span is active.
func within(t *testing.T, flags trace.TraceFlags, state string) (context.Context, trace.SpanContext) {
	t.Helper()
	parsed, err := trace.ParseTraceState(state)
	require.NoError(t, err)
	span := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2}, SpanID: trace.SpanID{3, 4}, TraceFlags: flags, TraceState: parsed,
	})
	return trace.ContextWithSpanContext(t.Context(), span), span
}

func TestAppendTakesTheTraceAlong(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	ctx, span := within(t, trace.FlagsSampled, "vendor=a,other=b")
	messages := []outbox.Message{
		message(),
		message(func(m *outbox.Message) { m.Headers = nil }),
		message(header("traceparent", "own")),
		message(header("tracestate", "own")),
	}
	given := make([]map[string]string, len(messages))
	for i, m := range messages {
		given[i] = maps.Clone(m.Headers)
	}
	require.NoError(t, pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return outbox.Append(ctx, tx, messages...) }))
	require.NoError(t, unitOfWork{open(t, pool)}.do(ctx, func(tx *sql.Tx) error { return outbox.AppendSQL(ctx, tx, messages...) }))

	rows := stored(t, pool, "public.outbox")
	require.Len(t, rows, 2*len(messages))
	for i, row := range rows {
		i %= len(messages)
		require.Equal(t, given[i], messages[i].Headers, "the caller's map stays as it was")
		if i >= 2 {
			require.Equal(t, given[i], row.Headers, "a trace of the message's own")
			continue
		}
		carried := propagation.TraceContext{}.Extract(t.Context(), propagation.MapCarrier(row.Headers))
		require.Equal(t, span.WithRemote(true), trace.SpanContextFromContext(carried))
		delete(row.Headers, "traceparent")
		delete(row.Headers, "tracestate")
		require.Len(t, row.Headers, len(given[i]))
	}
}

func TestTraceHeaders(t *testing.T) {
	t.Parallel()
	const parent = "00-01020000000000000000000000000000-0304000000000000-"
	sampled, _ := within(t, trace.FlagsSampled, "")
	require.Equal(t, map[string]string{"traceparent": parent + "01"}, outbox.TraceHeaders(sampled))
	unsampled, _ := within(t, 0, "a="+long(253))
	require.Equal(t, map[string]string{"traceparent": parent + "00", "tracestate": "a=" + long(253)}, outbox.TraceHeaders(unsampled))
	tooLong, _ := within(t, 0, "a="+long(254))
	require.Equal(t, map[string]string{"traceparent": parent + "00"}, outbox.TraceHeaders(tooLong))
}

// Not parallel: allocations are those of the whole process.
func TestNoSpanCostsNothing(t *testing.T) {
	ctx := t.Context()
	require.Nil(t, outbox.TraceHeaders(ctx))
	require.Zero(t, testing.AllocsPerRun(1000, func() { outbox.TraceHeaders(ctx) }))
}
