package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// CheckTracing refuses what the environment says of OpenTelemetry and the SDK would pass
// over: a variable of its specification is honoured or refused. What the specification
// does not name, as helpers of an operator in a cluster, is nobody's here.
func CheckTracing() error {
	if !tracingAllowed() {
		return nil // then nothing of it matters
	}
	var errs []error
	for _, setting := range os.Environ() {
		name, value, _ := strings.Cut(setting, "=")
		if strings.TrimSpace(value) == "" || !strings.HasPrefix(name, "OTEL_") {
			continue
		}
		if want := judged(name)(value); want != "" {
			errs = append(errs, fmt.Errorf("%s is set to what is not done: %s", name, want))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(append(errs, checkPairs())...)
}

// tracingAllowed says that nothing turns traces off.
func tracingAllowed() bool {
	return !strings.EqualFold(otelValue("OTEL_SDK_DISABLED"), "true") && otelValue("OTEL_TRACES_EXPORTER") != "none"
}

// otelValue is the value of a variable; empty is as if it were not set.
func otelValue(name string) string { return strings.TrimSpace(os.Getenv(name)) }

// otlp is that of a variable of the exporter. What is said for traces goes first.
func otlp(name string) string {
	if value := otelValue("OTEL_EXPORTER_OTLP_TRACES_" + name); value != "" {
		return value
	}
	return otelValue("OTEL_EXPORTER_OTLP_" + name)
}

// A judge says what a value ought to be, and nothing of one that is honoured.
type judge func(value string) (want string)

// The variables by name, docs/metrics.md has them too. A name that ends in * is of all that
// begin so, where no longer name is of one.
var tracingVariables = map[string]judge{
	"OTEL_SDK_DISABLED":                      anyCase(oneOf("true", "false")),
	"OTEL_SERVICE_NAME":                      anything,
	"OTEL_RESOURCE_ATTRIBUTES":               anything, // the SDK refuses those that it cannot read
	"OTEL_PROPAGATORS":                       propagators,
	"OTEL_TRACES_EXPORTER":                   oneOf("otlp", "none"),
	"OTEL_TRACES_SAMPLER":                    anyCase(oneOf(samplers...)),
	"OTEL_TRACES_SAMPLER_ARG":                samplerArg,
	"OTEL_METRICS_EXPORTER":                  onlyNone("metrics are served on HEALTH_ADDR, at /metrics"),
	"OTEL_LOGS_EXPORTER":                     onlyNone("the log is written to the standard error output"),
	"OTEL_LOG_LEVEL":                         refused("use LOG_LEVEL"),
	"OTEL_BSP_*":                             refused("it is not a variable of the batches"),
	"OTEL_BSP_SCHEDULE_DELAY":                number(1),
	"OTEL_BSP_EXPORT_TIMEOUT":                number(1),
	"OTEL_BSP_MAX_QUEUE_SIZE":                number(1),
	"OTEL_BSP_MAX_EXPORT_BATCH_SIZE":         number(1),
	"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT":      number(0),
	"OTEL_ATTRIBUTE_COUNT_LIMIT":             number(0),
	"OTEL_SPAN_*":                            refused("it is not a limit of spans"),
	"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": number(0),
	"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT":        number(0),
	"OTEL_SPAN_EVENT_COUNT_LIMIT":            number(0),
	"OTEL_SPAN_LINK_COUNT_LIMIT":             number(0),
	"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT":       number(0),
	"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT":        number(0),
	"OTEL_EXPORTER_*":                        refused("traces are exported by OTLP alone"),
	"OTEL_EXPORTER_OTLP_*":                   refused("it is not a variable of the exporter of traces"),
	"OTEL_METRIC*":                           refused("metrics are served on HEALTH_ADDR, at /metrics"),
	"OTEL_LOG*":                              refused("the log is written to the standard error output"),
	"OTEL_BLRP_*":                            refused("the log is written to the standard error output"),
	"OTEL_CONFIG_FILE":                       refused("use the variables"),
	"OTEL_EXPERIMENTAL_*":                    refused("use the variables"),
	"OTEL_SEMCONV_STABILITY_OPT_IN":          refused("there is one set of names"),
	"OTEL_ENTITIES":                          refused("use OTEL_RESOURCE_ATTRIBUTES"),
}

func init() { // what is said of all signals, and of traces alone
	for name, j := range map[string]judge{
		"ENDPOINT": endpoint, "HEADERS": headers, "TIMEOUT": number(1), "COMPRESSION": oneOf("gzip", "none"),
		"PROTOCOL": protocol, "INSECURE": anyCase(oneOf("true", "false")), "CERTIFICATE": certificates, "CLIENT_CERTIFICATE": anything, "CLIENT_KEY": anything,
	} {
		tracingVariables["OTEL_EXPORTER_OTLP_"+name] = j
		tracingVariables["OTEL_EXPORTER_OTLP_TRACES_"+name] = j
	}
}

// judged is the judge of a variable.
func judged(name string) judge {
	if j, known := tracingVariables[name]; known {
		return j
	}
	found, length := judge(anything), 0
	for pattern, j := range tracingVariables {
		prefix, isPrefix := strings.CutSuffix(pattern, "*")
		if isPrefix && strings.HasPrefix(name, prefix) && len(prefix) > length {
			found, length = j, len(prefix)
		}
	}
	return found
}

var samplers = []string{"always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"}

func anything(string) string { return "" }

func refused(instead string) judge {
	return func(string) string { return instead + ", and unset this one" }
}

func onlyNone(why string) judge {
	return func(value string) string {
		if value == "none" {
			return ""
		}
		return why + "; unset it, or set it to none"
	}
}

func oneOf(values ...string) judge {
	return func(value string) string {
		if slices.Contains(values, value) {
			return ""
		}
		return "set one of " + strings.Join(values, ", ")
	}
}

// anyCase is for what the SDK reads without regard to case.
func anyCase(j judge) judge { return func(value string) string { return j(strings.ToLower(value)) } }

func number(least int) judge {
	return func(value string) string {
		if n, err := strconv.Atoi(value); err == nil && n >= least {
			return ""
		}
		return fmt.Sprintf("set a whole number from %d on", least)
	}
}

func protocol(value string) string {
	switch value {
	case "http/protobuf", "http/json":
		return ""
	}
	return "set http/protobuf or http/json, and an endpoint of the collector that takes it, usually port 4318"
}

// propagators: the trace's context goes on; baggage that a message has is left as it is.
func propagators(value string) string {
	listed := strings.Split(value, ",")
	for i := range listed {
		listed[i] = strings.TrimSpace(listed[i])
	}
	other := slices.ContainsFunc(listed, func(p string) bool { return p != "tracecontext" && p != "baggage" })
	if other || !slices.Contains(listed, "tracecontext") {
		return "set tracecontext, or tracecontext,baggage"
	}
	return ""
}

func samplerArg(value string) string {
	if !strings.HasSuffix(strings.ToLower(otelValue("OTEL_TRACES_SAMPLER")), "traceidratio") {
		return "only the samplers traceidratio and parentbased_traceidratio have an argument: unset it, or set OTEL_TRACES_SAMPLER"
	}
	if ratio, err := strconv.ParseFloat(value, 64); err == nil && ratio >= 0 && ratio <= 1 {
		return ""
	}
	return "set a ratio from 0 to 1"
}

func endpoint(value string) string {
	u, err := url.Parse(value)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && u.Fragment == "" {
		return ""
	}
	return "set a URL such as http://127.0.0.1:4318"
}

func headers(value string) string {
	for header := range strings.SplitSeq(value, ",") {
		name, text, found := strings.Cut(header, "=")
		if _, err := url.PathUnescape(text); err != nil || !found || strings.TrimSpace(name) == "" || strings.ContainsAny(strings.TrimSpace(name), " \t\"(),/:;<=>?@[\\]{}") {
			return "set a list such as name=value,other=value, percent-encoded"
		}
	}
	return ""
}

func certificates(path string) string {
	text, err := os.ReadFile(path)
	if err == nil && x509.NewCertPool().AppendCertsFromPEM(text) {
		return ""
	}
	return "set the path of a readable file of certificates in PEM"
}

// checkPairs judges what only several variables say together.
func checkPairs() error {
	certificate, key := otlp("CLIENT_CERTIFICATE"), otlp("CLIENT_KEY")
	if certificate+key != "" {
		if _, err := tls.LoadX509KeyPair(certificate, key); err != nil {
			return errors.New("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY: set the paths of a certificate and its key in PEM, both")
		}
	}
	const queueUsually, batchUsually = 2048, 512
	queue, batch := queueUsually, batchUsually
	if n, err := strconv.Atoi(otelValue("OTEL_BSP_MAX_QUEUE_SIZE")); err == nil {
		queue = n
	}
	if n, err := strconv.Atoi(otelValue("OTEL_BSP_MAX_EXPORT_BATCH_SIZE")); err == nil {
		batch = n
	}
	if batch > queue && otelValue("OTEL_BSP_MAX_EXPORT_BATCH_SIZE") != "" {
		return fmt.Errorf("OTEL_BSP_MAX_EXPORT_BATCH_SIZE is %d, more than OTEL_BSP_MAX_QUEUE_SIZE %d: set less", batch, queue)
	}
	return nil
}
