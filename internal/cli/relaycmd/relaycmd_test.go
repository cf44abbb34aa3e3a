package relaycmd

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/cli"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/rabbit"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// command runs relay with a configuration file.
func command(t *testing.T, ctx context.Context, file string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	root := New()
	var out, errs bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(append(args, "--config", file))
	code = cli.Run(ctx, root)
	return code, out.String(), errs.String()
}

func configFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "relay.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestFromMigrateToDrained(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t)
	broker := testenv.Vhost(t)
	file := configFile(t, "database_urls: "+pool.Config().ConnString()+"\namqp_url: "+broker+"\nlog_level: error\nrelay_lease: 2s\n")
	read := func() (status relay.Status, code int) {
		code, out, _ := command(t, t.Context(), file, "status", "--json")
		require.NoError(t, json.Unmarshal([]byte(out), &status))
		return status, code
	}

	status, code := read()
	require.Equal(t, relay.StateNoTables, status.Shards[0].State)
	require.Equal(t, cli.ExitFailed, code)
	for range 2 {
		code, out, _ := command(t, t.Context(), file, "migrate")
		require.Equal(t, cli.ExitOK, code)
		require.Contains(t, out, "up to date")
	}
	_, err := pool.Exec(t.Context(), `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		VALUES ('a', '1', 't', '', 'q', '{}')`)
	require.NoError(t, err)
	status, _ = read()
	require.Equal(t, relay.StateNoRelay, status.Shards[0].State)
	require.Equal(t, int64(1), status.Shards[0].Pending)

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		code, _, _ := command(t, ctx, file, "run")
		ended <- code
	}()
	await := func(what string, condition func(relay.Status, int) bool) {
		t.Helper()
		require.Eventually(t, func() bool { return condition(read()) }, 20*time.Second, 20*time.Millisecond, what)
	}
	await("parked: there is no queue", func(s relay.Status, code int) bool {
		return len(s.Parked) == 1 && s.Parked[0].Reason == "unroutable" && s.Shards[0].Pending == 0 && code == cli.ExitOK
	})
	url := func(context.Context) (string, error) { return broker, nil }
	require.NoError(t, rabbit.Declare(t.Context(), rabbit.Config{URL: url}, rabbit.EventTopology(testenv.Owner, "q")))
	await("drained", func(s relay.Status, code int) bool {
		return len(s.Parked) == 0 && s.OK() && code == cli.ExitOK
	})
	code, out, _ := command(t, t.Context(), file, "status")
	require.Equal(t, cli.ExitOK, code)
	require.Regexp(t, `DATABASE +SHARD +STATE +HOLDER +POSITION +PENDING +OLDEST +BROKER\n\S+ +0 +active +\S+ +- +0 +- +reachable\n`, out)
	cancel()
	require.Equal(t, cli.ExitOK, <-ended)
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	file := configFile(t, "database_urls: postgres://svc:s3cretPW@127.0.0.1:1/nowhere\namqp_url: amqp://svc:s3cretPW@127.0.0.1:1/\n")
	code, out, errs := command(t, t.Context(), file, "status")
	require.Equal(t, cli.ExitFailed, code)
	require.Regexp(t, `nowhere +0 +unreachable +- +- +- +- +unreachable\n`, out)
	require.NotContains(t, out+errs, "s3cretPW")
}

func TestWrongSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, want string }{
		"none":       {"relay_window: 10", "DATABASE_URLS"},
		"no broker":  {"database_urls: postgres://a@b/c", "AMQP_URL"},
		"window":     {"database_urls: postgres://a@b/c\namqp_url: amqp://x\nrelay_window: 0", "RELAY_WINDOW"},
		"lease":      {"database_urls: postgres://a@b/c\namqp_url: amqp://x\nrelay_lease: 1ms", "RELAY_LEASE"},
		"unknown":    {"windows: 1", "windows"},
		"twice":      {"database_urls: postgres://a@b/c postgres://a@b/c\namqp_url: amqp://x", "listed twice"},
		"one schema": {"database_urls: postgres://a@b/c?schema=d postgres://a@b/c?schema=e postgres://a@b/c?schema=d\namqp_url: amqp://x", "entry 3 of 3: schema d of database c@b:5432 is listed twice"},
		"usual one":  {"database_urls: postgres://a@b/c?schema=public postgres://a@b/c\namqp_url: amqp://x", "schema public of database c@b:5432 is listed twice"},
		"said once":  {"database_urls: postgres://a@b/c?schema=d postgres://a@b/c\ndatabase_schema: d\namqp_url: amqp://x", "schema d of database c@b:5432 is listed twice"},
		"no schema":  {"database_urls: postgres://a@b/c?schema=pg_d\namqp_url: amqp://x", "entry 1 of 1: schema name"},
		"keywords":   {"database_urls: host=b dbname=c schema=d\namqp_url: amqp://x", "say DATABASE_SCHEMA in its place"},
		"unreadable": {"database_urls: 'postgres://a:s3cr%tPW@b/c'\namqp_url: amqp://x", "entry 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, errs := command(t, t.Context(), configFile(t, c.file), "run")
			require.Equal(t, cli.ExitUsage, code, errs)
			require.Contains(t, errs, c.want)
			require.NotContains(t, errs, "s3cr")
		})
	}
}
