package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/zap"
)

const (
	// tracingStop bounds the export of the last spans at the end of the process.
	tracingStop = 5 * time.Second
	// tracingSilence is the time between two log lines about exports that fail.
	tracingSilence = time.Minute
	// usualCollector is where the specification looks for one.
	usualCollector = "http://localhost:4318/v1/traces"
)

// StartTracing exports the process's OpenTelemetry spans where the environment says
// where to: OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, by OTLP
// over HTTP, or that it wants to (OTEL_TRACES_EXPORTER=otlp). Else, and where
// OTEL_SDK_DISABLED is true or OTEL_TRACES_EXPORTER none, spans stay the no-operations
// that they are. The SDK's other variables hold too, as far as [CheckTracing] says nothing;
// daemon is the service.name that OTEL_SERVICE_NAME replaces.
//
// Spans wait in a bounded queue. One that finds it full is dropped: tracing holds up no
// work. Stop exports what is left, for at most five seconds; call it once.
func StartTracing(ctx context.Context, daemon string, log *zap.Logger) (stop func(), err error) {
	if !tracingWanted() {
		return func() {}, nil
	}
	var options []otlptracehttp.Option
	if otlp("ENDPOINT") == "" {
		options = append(options, otlptracehttp.WithEndpointURL(usualCollector))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("make the exporter of traces: %w", err)
	}
	// The environment comes last, so it wins.
	service, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", daemon)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("describe the service for its traces (OTEL_RESOURCE_ATTRIBUTES): %w", err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(service))
	otel.SetErrorHandler(&traceErrors{log: log})
	otel.SetTracerProvider(provider)
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tracingStop)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			log.Warn("the last traces could not be exported", zap.Error(err))
		}
	}, nil
}

func tracingWanted() bool {
	return tracingAllowed() && (otlp("ENDPOINT") != "" || otelValue("OTEL_TRACES_EXPORTER") != "")
}

// traceErrors logs what OpenTelemetry has to complain of, seldom: a collector that is
// away fails every batch.
type traceErrors struct {
	log *zap.Logger

	mu     sync.Mutex
	logged time.Time
}

// Handle implements [otel.ErrorHandler].
func (h *traceErrors) Handle(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.logged) < tracingSilence {
		return
	}
	h.logged = time.Now()
	h.log.Warn("traces are lost", zap.Error(err))
}
