package app

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	wire "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/protobuf/proto"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/outboxpg"
	"go.example/saga/pkg/outbox/relay"
	"go.example/saga/pkg/rabbit"
	sagasql "go.example/saga/sql"
)

// traceCollector takes what is exported by OTLP over HTTP.
type traceCollector struct {
	*httptest.Server
	mu       sync.Mutex
	services []string
	spans    []*wire.Span
}

func startCollector(t *testing.T) *traceCollector {
	c := &traceCollector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &request)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			http.Error(w, "no traces", http.StatusBadRequest)
			return
		}
		c.take(&request)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *traceCollector) take(request *collector.ExportTraceServiceRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range request.GetResourceSpans() {
		for _, attribute := range resource.GetResource().GetAttributes() {
			if attribute.GetKey() == "service.name" {
				c.services = append(c.services, attribute.GetValue().GetStringValue())
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
}

func (c *traceCollector) span(t *testing.T, name string) *wire.Span {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.spans, func(s *wire.Span) bool { return s.GetName() == name })
	require.GreaterOrEqual(t, i, 0, "%s is not among %v", name, c.spans)
	return c.spans[i]
}

const tracedQueue = "traced"

// From the writer's span through the outbox, the relay and the broker to a consumer.
func TestTraceGoesThroughTheOutbox(t *testing.T) {
	spans := startCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", spans.URL)
	former := otel.GetTracerProvider()
	t.Cleanup(func() { otel.SetTracerProvider(former) })
	stop, err := StartTracing(t.Context(), "some-daemon", zaptest.NewLogger(t))
	require.NoError(t, err)

	pool, address := testenv.Database(t, sagasql.Outbox), testenv.Vhost(t)
	broker := rabbit.Config{Name: "traced", URL: func(context.Context) (string, error) { return address, nil }}
	consumer, err := rabbit.OpenConsumer(t.Context(), broker, rabbit.EventTopology(testenv.Owner, tracedQueue), tracedQueue, 1)
	require.NoError(t, err)
	defer func() { _ = consumer.Close() }()
	ctx, business := otel.Tracer("test").Start(t.Context(), "business")
	require.NoError(t, pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		return outbox.Append(ctx, tx, outbox.Message{
			AggregateType: "test", AggregateID: "k", Type: "m", RoutingKey: tracedQueue, Payload: []byte(`{}`),
		})
	}))
	business.End()
	engine, err := relay.New(relay.Config{
		Name: "traced", Log: outboxpg.New(pool, ""), Holder: "traced", Logger: zaptest.NewLogger(t),
		Open: func(ctx context.Context) (relay.Publisher, error) { return rabbit.OpenPublisher(ctx, broker, 10) },
	})
	require.NoError(t, err)
	ctx, stopEngine := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- engine.Run(ctx) }()
	batch, err := consumer.Receive(t.Context(), 1)
	require.NoError(t, err)
	require.NoError(t, batch.Ack())
	stopEngine()
	require.NoError(t, <-ended)
	stop()

	parent, publish := spans.span(t, "business"), spans.span(t, "publish ")
	require.Equal(t, wire.Span_SPAN_KIND_PRODUCER, publish.GetKind())
	require.Equal(t, parent.GetTraceId(), publish.GetTraceId())
	require.Equal(t, parent.GetSpanId(), publish.GetParentSpanId())
	require.Equal(t, "00-"+hex.EncodeToString(publish.GetTraceId())+"-"+hex.EncodeToString(publish.GetSpanId())+"-01",
		batch.Deliveries()[0].Headers["traceparent"])
	require.Contains(t, spans.services, "some-daemon")
}

func TestEnvironmentNamesTheService(t *testing.T) {
	spans := startCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", spans.URL+"/v1/traces")
	t.Setenv("OTEL_SERVICE_NAME", "another-name")
	former := otel.GetTracerProvider()
	t.Cleanup(func() { otel.SetTracerProvider(former) })
	stop, err := StartTracing(t.Context(), "some-daemon", zaptest.NewLogger(t))
	require.NoError(t, err)
	_, span := otel.Tracer("test").Start(t.Context(), "work")
	span.End()
	stop()
	require.Equal(t, []string{"another-name"}, spans.services)
}

func TestTracingIsOffUnlessAskedFor(t *testing.T) {
	for name, environment := range map[string]map[string]string{
		"nothing is set": {},
		"disabled":       {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "True"},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range environment {
				t.Setenv(variable, value)
			}
			before := otel.GetTracerProvider()
			stop, err := StartTracing(t.Context(), "some-daemon", zaptest.NewLogger(t))
			require.NoError(t, err)
			defer stop()
			require.Same(t, before, otel.GetTracerProvider())
			_, span := otel.Tracer("test").Start(t.Context(), "work")
			require.False(t, span.IsRecording())
			span.End()
		})
	}
}

// A collector that is away must not hold up the end of the process.
func TestTracingStopsWithoutACollector(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", gone.URL)
	former := otel.GetTracerProvider()
	t.Cleanup(func() { otel.SetTracerProvider(former) })
	core, logs := observer.New(zapcore.WarnLevel)
	stop, err := StartTracing(t.Context(), "some-daemon", zap.New(core))
	require.NoError(t, err)
	_, span := otel.Tracer("test").Start(t.Context(), "work")
	span.End()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop()
	}()
	select {
	case <-stopped:
	case <-time.After(3 * tracingStop):
		t.Fatal("it waits for the collector")
	}
	require.NotZero(t, logs.Len(), "lost traces are told of")
}

func TestTraceErrorsAreLoggedSeldom(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zapcore.WarnLevel)
	handler := &traceErrors{log: zap.New(core)}
	for range 100 {
		handler.Handle(errors.New("no collector"))
	}
	require.Equal(t, 1, logs.Len())
	handler.logged = handler.logged.Add(-tracingSilence)
	handler.Handle(errors.New("no collector"))
	require.Equal(t, 2, logs.Len())
}
