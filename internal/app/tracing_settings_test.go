package app

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.uber.org/zap/zaptest"
)

// A variable of the specification is honoured or refused, and the refusal says what to do.
func TestVariablesOfOpenTelemetry(t *testing.T) {
	file := filepath.Join(t.TempDir(), "none.pem")
	require.NoError(t, os.WriteFile(file, []byte("no certificate"), 0o600))
	for _, c := range []struct{ set, says string }{
		{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "set http/protobuf or http/json"},
		{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc", "set http/protobuf or http/json"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL=http/json", ""},
		{"OTEL_TRACES_EXPORTER=none OTEL_EXPORTER_OTLP_PROTOCOL=grpc", ""},
		{"OTEL_SDK_DISABLED=TRUE OTEL_EXPORTER_OTLP_PROTOCOL=grpc", ""},
		{"OTEL_SDK_DISABLED=yes", "set one of true, false"},
		{"OTEL_TRACES_EXPORTER=zipkin", "set one of otlp, none"},
		{"OTEL_TRACES_EXPORTER=otlp,console", "set one of otlp, none"},
		{"OTEL_TRACES_EXPORTER=otlp", ""},
		{"OTEL_METRICS_EXPORTER=otlp", "at /metrics; unset it, or set it to none"},
		{"OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=none", ""},
		{"OTEL_LOGS_EXPORTER=otlp", "set it to none"},
		{"OTEL_METRIC_EXPORT_INTERVAL=1000", "unset this one"},
		{"OTEL_BLRP_SCHEDULE_DELAY=1", "unset this one"},
		{"OTEL_LOG_LEVEL=debug", "use LOG_LEVEL"},
		{"OTEL_CONFIG_FILE=/x.yaml", "use the variables"},
		{"OTEL_TRACES_SAMPLER=jaeger_remote", "parentbased_traceidratio"},
		{"OTEL_TRACES_SAMPLER=Always_Off", ""},
		{"OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0.25", ""},
		{"OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=25%", "a ratio from 0 to 1"},
		{"OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=NaN", "a ratio from 0 to 1"},
		{"OTEL_TRACES_SAMPLER_ARG=0.25", "set OTEL_TRACES_SAMPLER"},
		{"OTEL_PROPAGATORS=tracecontext,baggage", ""},
		{"OTEL_PROPAGATORS=b3", "set tracecontext"},
		{"OTEL_PROPAGATORS=none", "set tracecontext"},
		{"OTEL_BSP_SCHEDULE_DELAY=1s", "a whole number from 1 on"},
		{"OTEL_BSP_MAX_QUEUE_SIZE=0", "a whole number from 1 on"},
		{"OTEL_BSP_MAX_QUEUE_SIZE=10 OTEL_BSP_MAX_EXPORT_BATCH_SIZE=11", "set less"},
		{"OTEL_BSP_MAX_QUEUE_SIZE=10 OTEL_BSP_MAX_EXPORT_BATCH_SIZE=10", ""},
		{"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=many", "a whole number from 0 on"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317", "http://127.0.0.1:4318"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=unix:///x", "http://127.0.0.1:4318"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=https://h/base", ""},
		{"OTEL_EXPORTER_OTLP_HEADERS=api-key=a%20b,x=y", ""},
		{"OTEL_EXPORTER_OTLP_HEADERS=api-key", "name=value"},
		{"OTEL_EXPORTER_OTLP_TIMEOUT=10s", "a whole number from 1 on"},
		{"OTEL_EXPORTER_OTLP_COMPRESSION=zstd", "gzip, none"},
		{"OTEL_EXPORTER_OTLP_CERTIFICATE=" + file, "in PEM"},
		{"OTEL_EXPORTER_OTLP_CLIENT_KEY=" + file, "both"},
		{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://h:4318", "exporter of traces"},
		{"OTEL_EXPORTER_OTLP_ENDPIONT=http://h:4318", "exporter of traces"},
		{"OTEL_EXPORTER_ZIPKIN_ENDPOINT=http://h", "by OTLP alone"},
		{"OTEL_SERVICE_NAME=x OTEL_RESOURCE_ATTRIBUTES=a=b", ""},
		{"OTEL_POD_IP=10.0.0.1 OTEL_GO_X_RESOURCE=true", ""},
		{"OTEL_EXPORTER_OTLP_PROTOCOL=", ""},
	} {
		t.Run(c.set, func(t *testing.T) {
			var name string
			for setting := range strings.FieldsSeq(c.set) {
				variable, value, _ := strings.Cut(setting, "=")
				t.Setenv(variable, value)
				name = variable
			}
			err := CheckTracing()
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, name)
		})
	}
}

// Values may be secrets, as those of headers are.
func TestRefusedVariablesAreNotQuoted(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "hush")
	require.NotContains(t, CheckTracing().Error(), "hush")
}

func TestNoExporterExportsNothing(t *testing.T) {
	asked := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	for exporter, want := range map[string]int{"none": 0, "otlp": 1} {
		t.Setenv("OTEL_TRACES_EXPORTER", exporter)
		former := otel.GetTracerProvider()
		stop, err := StartTracing(t.Context(), "some-daemon", zaptest.NewLogger(t))
		require.NoError(t, err)
		_, span := otel.Tracer("test").Start(t.Context(), "work")
		span.End()
		stop() // exports what is left
		otel.SetTracerProvider(former)
		require.Len(t, asked, want, exporter)
		for range want {
			<-asked
		}
	}
}
