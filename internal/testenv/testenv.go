// Package testenv gives tests a real PostgreSQL database and a real RabbitMQ
// virtual host each, so that they run in parallel and see only their own rows
// and messages.
//
// The servers are those of package services: tests start none. They have room for so
// many connections, which all packages' tests share: see [Connections]. Every name says
// when it was made: what a killed run left behind is removed by one of a later day, if
// it bears [services.Mark] and nobody is in it.
package testenv

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"go.example/saga/internal/dev/services"
)

// prefix starts the name of every database and virtual host of a test.
const prefix = services.TestPrefix

// staleAfter is when a name's owner is taken to be dead. It is far longer than any
// run may take: `make soak` has two hours.
const staleAfter = 24 * time.Hour

// adminTime bounds one administrative act on a busy machine.
const adminTime = 60 * time.Second

// located is the search for the servers, made once a process.
var located = sync.OnceValues(func() (services.Set, error) {
	ctx, cancel := context.WithTimeout(context.Background(), adminTime)
	defer cancel()
	return services.Locate(ctx)
})

// Main is the body of a TestMain: it runs the tests and exits, see [Run].
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run runs the tests, fails the run when goroutines are left, and drops what it made. It
// returns the exit code to a TestMain that has something to do behind it.
func Run(m *testing.M, others ...goleak.Option) int {
	isolate()
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(others...); err != nil {
			fmt.Fprintf(os.Stderr, "the tests left goroutines behind: %v\n", err)
			code = 1
		}
	}
	if err := removeAll(); err != nil {
		fmt.Fprintf(os.Stderr, "remove what the tests made: %v\n", err)
		code = 1
	}
	return code
}

// isolate keeps the settings in the developer's environment away from the
// programs under test, after they have told where the servers are.
func isolate() {
	_, _ = located() // a test that needs the servers reports the error
	for _, name := range []string{
		"DATABASE_URL", "DATABASE_URLS", "DATABASE_SCHEMA", "AMQP_URL", "SERVICE", "BATCH_SIZE",
		"RELAY_WINDOW", "RELAY_PAGE", "RELAY_LEASE", "RELAY_SHARDS", "RELAY_POLL_ONLY", "RELAY_RETRY_FOR", "RELAY_RETENTION",
		"RELAY_PARTITION_ROWS", "DATABASE_URLS_FILE", "AMQP_URL_FILE", "AMQP_CA_FILE", "AMQP_CERT_FILE", "AMQP_KEY_FILE", "PGSSLMODE",
		"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SERVICE_NAME", "OTEL_SDK_DISABLED",
		"OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG",
		"LISTEN_ADDR", "HEALTH_ADDR", "ADMIN_ADDRESS", "ADMIN_TOKEN", "ADMIN_TOKEN_FILE", "LOG_LEVEL", "LOG_FORMAT", "CARD_NUMBER",
	} {
		_ = os.Unsetenv(name) // fails only on a name that is none
	}
}

// removeAll gives each kind a time of its own: a hundred databases take minutes on a busy
// machine.
func removeAll() error {
	for _, remove := range []func(context.Context) error{spent.drop, templates.drop, room.close, vhosts.delete} {
		ctx, cancel := context.WithTimeout(context.Background(), dropTime)
		err := remove(ctx)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// servers are the servers under test; without them a test fails, for a skipped
// test looks like a passed one.
func servers(t testing.TB) services.Set {
	t.Helper()
	set, err := located()
	if err != nil {
		t.Fatalf("this test needs PostgreSQL and RabbitMQ, run `make services` first: %v", err)
	}
	return set
}

// newName is a name nobody else uses, with the time in it.
func newName() string {
	return prefix + strconv.FormatInt(time.Now().Unix(), 36) + "_" + strings.ToLower(rand.Text()[:12])
}

// stale keeps the names that a killed run left behind.
func stale(names []string, now time.Time) []string {
	var old []string
	for _, name := range names {
		rest, ours := strings.CutPrefix(name, prefix)
		made, _, _ := strings.Cut(rest, "_")
		seconds, err := strconv.ParseInt(made, 36, 64)
		if ours && err == nil && now.Sub(time.Unix(seconds, 0)) > staleAfter {
			old = append(old, name)
		}
	}
	return old
}
