package orchestratorcmd_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/orchestratorcmd"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const document = `name: trip
version: 1
steps:
  - name: hotel
    request: {timeout: 10s, retry: {attempts: 3}}
  - name: flight
    type: pivot
  - name: mail
    type: retriable
    request: {retry: {attempts: 100}}
`

// bench is a migrated database that the commands find through the environment.
// The tests that use it do not run in parallel, for the environment is one.
type bench struct {
	*testing.T
	db   *pgxpool.Pool
	file string
}

func setup(t *testing.T) *bench {
	b := empty(t)
	require.Equal(t, "the tables of outbox, saga and inbox are up to date and belong to the service trips\n", b.ok("migrate"))
	return b
}

// empty is a bench without tables.
func empty(t *testing.T) *bench {
	b := &bench{T: t, db: testenv.Database(t), file: filepath.Join(t.TempDir(), "trip.yaml")}
	t.Setenv("DATABASE_URL", b.db.Config().ConnString())
	t.Setenv("SERVICE", testenv.Service)
	b.write(document)
	return b
}

func (b *bench) write(text string) { require.NoError(b, os.WriteFile(b.file, []byte(text), 0o600)) }

// run runs a command and returns its exit code and both outputs.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	root := orchestratorcmd.New()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&errs)
	code = cli.Run(t.Context(), root)
	return code, out.String(), errs.String()
}

func (b *bench) ok(args ...string) string {
	b.Helper()
	code, out, errs := run(b.T, args...)
	require.Zero(b, code, "%v: %s", args, errs)
	return out
}

func (b *bench) fails(code int, text string, args ...string) {
	b.Helper()
	got, out, errs := run(b.T, args...)
	require.Equal(b, code, got, "%v: %s", args, errs)
	require.Contains(b, errs, text)
	require.Empty(b, out)
}

// saga starts a saga and applies events to it.
func (b *bench) saga(key string, events ...saga.Event) string {
	b.Helper()
	store := sagapg.New("", testenv.Service)
	ctx := b.Context()
	var id saga.ID
	require.NoError(b, pgx.BeginFunc(ctx, b.db, func(tx pgx.Tx) error {
		def, err := store.LatestDefinition(ctx, tx, "trip")
		require.NoError(b, err)
		id, _, err = store.Start(ctx, tx, def, sagapg.StartRequest{BusinessKey: key, Payload: jsonmap.JSONMap{"seats": 2}})
		require.NoError(b, err)
		loaded, now, err := store.Load(ctx, tx, []saga.ID{id})
		require.NoError(b, err)
		var change sagapg.Change
		state := loaded[0].State
		for _, e := range events {
			t := saga.Step(def, state, e, now)
			state, change = t.Next, append(change, t)
		}
		return store.Save(ctx, tx, []sagapg.Change{change})
	}))
	return uuid.UUID(id).String()
}

func reply(step string, op saga.Operation, outcome saga.Outcome) saga.Reply {
	return saga.Reply{
		Step: step, Operation: op, Outcome: outcome, Attempt: 1, MessageID: "m-" + step,
		Output: jsonmap.JSONMap{"ref": "X"}, Problem: saga.Problem{Title: "Sold out"},
	}
}

var volatile = []struct {
	pattern *regexp.Regexp
	stands  string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "<id>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`), "<time>"},
	{regexp.MustCompile(`\+\d+\.\d ms`), "<elapsed>"},
	{regexp.MustCompile(`"elapsedMs": [0-9.]+`), `"elapsedMs": <elapsed>`},
	{regexp.MustCompile(`"hash": "[0-9a-f]{64}"`), `"hash": "<hash>"`},
	{regexp.MustCompile(`\b[0-9a-f]{12}\b`), "<hash>"},
	{regexp.MustCompile(`\b[0-9]s\b`), "<age>"},
	{regexp.MustCompile(`"ageSeconds": \d+`), `"ageSeconds": <age>`},
	{regexp.MustCompile(`(\S) {2,}`), "$1  "},
	{regexp.MustCompile(`(?m) +$`), ""},
}

// steady replaces what differs from run to run; the columns' widths go with it.
func steady(out string) string {
	for _, v := range volatile {
		out = v.pattern.ReplaceAllString(out, v.stands)
	}
	return out
}

// golden compares with testdata/<name>; UPDATE_GOLDEN=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func TestSagaListAndShow(t *testing.T) {
	b := setup(t)
	b.ok("definition", "apply", b.file)
	require.Equal(t, "[]\n", b.ok("saga", "list", "--json"))

	started := b.saga("K-1", reply("hotel", saga.Request, saga.OutcomeSucceeded))
	aborted := b.saga("K-2", reply("hotel", saga.Request, saga.OutcomeSucceeded),
		reply("flight", saga.Request, saga.OutcomeFailed), reply("hotel", saga.Cancel, saga.OutcomeCompensated),
		reply("hotel", saga.Request, saga.OutcomeSucceeded))
	b.saga("", reply("hotel", saga.Request, saga.OutcomeFailed))
	parked := b.saga("K-4", reply("hotel", saga.Request, saga.OutcomeSucceeded), reply("hotel", saga.Request, saga.OutcomeFailed))
	b.exec(`INSERT INTO inbox_quarantine (consumer, queue, message_id, state, code, reason, exchange, routing_key, properties, headers, body, message_sha256, tries, retry_at, handled_at, handled_by, note)
		SELECT 'replies', 'q', 'm-' || n || s.code, s.state, s.code, s.reason, '', 'q', '{"type": "hotel.REQUEST.failed"}', jsonb_build_object('cloudEvents_sagaid', $1::text), '', '\x00', n, 
		       CASE s.state WHEN 'held' THEN now() END, CASE s.state WHEN 'discarded' THEN now() END, CASE s.state WHEN 'discarded' THEN 'ada' END, 'a broken release'
		FROM generate_series(1, 7) AS n
		CROSS JOIN LATERAL (VALUES ('held', 'unexpected', 'the saga has no such step'), ('dead', 'undecodable', 'not a reply: body'), ('discarded', 'failing', 'ERROR: no such column')) AS s (state, code, reason)
		ORDER BY n, s.state`, parked)

	golden(t, "show_parked.txt", steady(b.ok("saga", "show", parked)))
	golden(t, "show_parked.json", steady(b.ok("saga", "show", parked, "--json", "--events", "1")))
	require.Contains(t, b.ok("saga", "show", parked, "--events", "1"), "\n2 earlier events are left out: --events shows more\n")
	b.fails(cli.ExitUsage, "--events is 0", "saga", "show", parked, "--events", "0")
	golden(t, "list.txt", steady(b.ok("saga", "list")))
	golden(t, "list.json", steady(b.ok("saga", "list", "--status", "aborted", "--type", "trip", "--limit", "1", "--json")))
	golden(t, "show_started.txt", steady(b.ok("saga", "show", started)))
	golden(t, "show_aborted.txt", steady(b.ok("saga", "show", aborted)))
	shown := b.ok("saga", "show", aborted, "--json")
	golden(t, "show_aborted.json", steady(shown))
	require.True(t, json.Valid([]byte(shown)))
}

func TestDefinitions(t *testing.T) {
	b := setup(t)
	require.Equal(t, "[]\n", b.ok("definition", "list", "--json"))
	require.Equal(t, "trip@1 stored\n", b.ok("definition", "apply", b.file))
	require.Equal(t, "trip@1 was stored before, nothing changed\n", b.ok("definition", "apply", b.file))
	b.saga("K-1")

	golden(t, "definitions.txt", steady(b.ok("definition", "list")))
	golden(t, "definitions.json", steady(b.ok("definition", "list", "--json")))
	golden(t, "graph.mmd", b.ok("definition", "graph", "trip"))
	shown := b.ok("definition", "show", "trip@1")
	b.write(shown)
	require.Equal(t, "trip@1 was stored before, nothing changed\n", b.ok("definition", "apply", b.file), "what show prints is the same plan")

	b.write(strings.Replace(document, "10s", "20s", 1))
	b.fails(cli.ExitRefused, "raise the version to 2", "definition", "apply", b.file)
	b.write(strings.Replace(document, "pivot", "pivto", 1))
	b.fails(cli.ExitUsage, "trip.yaml", "definition", "apply", b.file)
	b.fails(cli.ExitUsage, "no such file", "definition", "apply", b.file+".missing")
	b.fails(cli.ExitNotFound, "no such saga definition", "definition", "show", "tour")
	b.fails(cli.ExitNotFound, "version 2", "definition", "graph", "trip@2")
	b.fails(cli.ExitUsage, "NAME@VERSION", "definition", "show", "trip@latest")
}

func TestWrongUse(t *testing.T) {
	b := setup(t)
	b.fails(cli.ExitNotFound, "no such saga", "saga", "show", uuid.NewString())
	b.fails(cli.ExitUsage, "has to be a UUID", "saga", "show", "17")
	b.fails(cli.ExitUsage, "needs the saga's id", "saga", "show")
	b.fails(cli.ExitUsage, "is none of", "saga", "list", "--status", "DONE")
	b.fails(cli.ExitUsage, "the limit is 0", "saga", "list", "--limit", "0")
	b.fails(cli.ExitUsage, "unknown flag", "saga", "list", "--nonsense")
	b.fails(cli.ExitFailed, "HEALTH_ADDR", "healthcheck")
	t.Setenv("AMQP_URL", "")
	b.fails(cli.ExitUsage, "AMQP_URL", "run")
	t.Setenv("BATCH_SIZE", "0")
	b.fails(cli.ExitUsage, "BATCH_SIZE is 0", "saga", "list")
	t.Setenv("DATABASE_URL", "")
	b.fails(cli.ExitUsage, "DATABASE_URL", "migrate")
}

// The settings of a file hold where the environment says nothing.
func TestConfigFile(t *testing.T) {
	b := setup(t)
	file := filepath.Join(t.TempDir(), "orchestrator.yaml")
	require.NoError(t, os.WriteFile(file, []byte("database_url: "+b.db.Config().ConnString()+"\nbatch_size: 7\n"), 0o600))
	t.Setenv("DATABASE_URL", "")
	require.NoError(t, os.Unsetenv("DATABASE_URL"))
	require.Equal(t, "[]\n", b.ok("saga", "list", "--json", "--config", file))
	require.NoError(t, os.WriteFile(file, []byte("databse_url: x\n"), 0o600))
	b.fails(cli.ExitUsage, "databse_url", "saga", "list", "--config", file)
}
