package outbox

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// The headers of W3C Trace Context.
const (
	traceParent = "traceparent"
	traceState  = "tracestate"
)

// traceHeaders tell the message's readers of the span that is active in the context;
// without one they are nil. They ride in the row, because the relay publishes long
// after the span has ended, from another process.
func traceHeaders(ctx context.Context) map[string]string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return nil
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	// It may have more bytes than a header takes, and the trace holds without it.
	if len(carrier[traceState]) > MaxName {
		delete(carrier, traceState)
	}
	return carrier
}

// hasTrace tells whether a message brings a trace of its own. One header of it beside
// one of another trace would be neither.
func hasTrace(headers map[string]string) bool {
	_, parent := headers[traceParent]
	_, state := headers[traceState]
	return parent || state
}
