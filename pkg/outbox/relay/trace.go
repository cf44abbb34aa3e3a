package relay

import (
	"context"
	"maps"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"go.example/saga/pkg/outbox"
)

// span is the OpenTelemetry span of one publish, from sending to the answer. The
// zero value is none.
type span struct{ trace.Span }

var traceContext propagation.TraceContext

// startSpan begins a span for a message that was appended within one, see
// outbox.Append. The message then carries this span's context on, so that its
// consumers hang below it. Without an SDK installed, or where the message has no
// traceparent, it costs a map look-up. Attributes follow OpenTelemetry's semantic
// conventions for messaging.
func startSpan(ctx context.Context, r *outbox.Record) span {
	if r.Headers["traceparent"] == "" {
		return span{}
	}
	parent := traceContext.Extract(ctx, propagation.MapCarrier(r.Headers))
	ctx, started := otel.Tracer("go.example/saga/pkg/outbox/relay").Start(parent, "publish "+r.Exchange,
		trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(
			attribute.String("messaging.system", "rabbitmq"),
			attribute.String("messaging.operation.type", "send"),
			attribute.String("messaging.destination.name", r.Exchange),
			attribute.String("messaging.rabbitmq.destination.routing_key", r.RoutingKey),
			attribute.String("messaging.message.id", r.ID.String()),
			attribute.Int64("outbox.id", r.Position),
		))
	if !started.IsRecording() {
		started.End()
		return span{}
	}
	r.Headers = maps.Clone(r.Headers)
	traceContext.Inject(ctx, propagation.MapCarrier(r.Headers))
	return span{started}
}

func (s span) end(err error) {
	if s.Span == nil {
		return
	}
	if err != nil {
		s.SetStatus(codes.Error, err.Error())
	}
	s.End()
}
