package orchestratorcmd_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/pkg/saga"
)

func (b *bench) text(query string, args ...any) (text string) {
	b.Helper()
	require.NoError(b, b.db.QueryRow(b.Context(), query, args...).Scan(&text))
	return text
}

func (b *bench) exec(query string, args ...any) {
	b.Helper()
	_, err := b.db.Exec(b.Context(), query, args...)
	require.NoError(b, err)
}

// statuses lists the sagas by their business keys.
func (b *bench) statuses() string {
	b.Helper()
	return b.text(`SELECT coalesce(string_agg(business_key || ' ' || status || CASE WHEN paused THEN ' paused' ELSE '' END, ', ' ORDER BY business_key), '') FROM saga`)
}

// refused runs a command that some saga declines, and returns its output.
func (b *bench) refused(text string, args ...string) string {
	b.Helper()
	code, out, errs := run(b.T, args...)
	require.Equal(b, cli.ExitRefused, code, "%v: %s", args, errs)
	require.Contains(b, errs, text)
	return out
}

const withApproval = `name: trip
version: 2
steps:
  - name: hotel
  - name: approval
    kind: signal
    wait: 1h
    on_timeout: refuse
  - name: flight
    type: pivot
`

func TestActOnOneSaga(t *testing.T) {
	b := setup(t)
	b.ok("definition", "apply", b.file)
	id := b.saga("K-1")
	require.Equal(t, "saga "+id+" is STARTED: sent again by the operator\n", b.ok("saga", "retry", id))
	require.Equal(t, cli.Whoami(), b.text(`SELECT who FROM saga_history WHERE kind = 'retry'`))
	require.Contains(t, b.ok("saga", "pause", "--key", "trip/K-1", "--who", "ada", "--reason", "moving"), "paused by the operator: moving")
	require.Equal(t, "ada", b.text(`SELECT who FROM saga_history WHERE kind = 'pause'`))
	b.fails(cli.ExitRefused, "saga "+id+" (STARTED) refused it: the saga is paused already", "saga", "pause", id)
	require.Contains(t, b.ok("saga", "resume", id), "going on")
	b.fails(cli.ExitUsage, "say why with --reason", "saga", "skip", id)
	b.fails(cli.ExitRefused, "no step with that name", "saga", "skip", id, "--step", "mail", "--reason", "x")
	require.Contains(t, b.ok("saga", "skip", id, "--step", "hotel", "--reason", "by hand", "--output", `{"ref": 1.10}`), "by hand")
	require.Contains(t, b.text(`SELECT outputs::text FROM saga`), `"ref": 1.10`)

	var told struct{ ID, Disposition, Detail, Status string }
	require.NoError(t, json.Unmarshal([]byte(b.refused("may have taken effect", "saga", "abort", id, "--reason", "x", "--json")), &told))
	require.Equal(t, id+" refused STARTED", told.ID+" "+told.Disposition+" "+told.Status)
	require.NoError(t, json.Unmarshal([]byte(b.ok("saga", "kill", id, "--reason", "settled", "--json")), &told))
	require.Equal(t, "advanced KILLED", told.Disposition+" "+told.Status)
	require.Equal(t, "K-1 KILLED", b.statuses())
}

func TestSignalOneSaga(t *testing.T) {
	b := setup(t)
	b.write(withApproval)
	b.ok("definition", "apply", b.file)
	booked := reply("hotel", saga.Request, saga.OutcomeSucceeded)
	early, yes, no := b.saga("K-1"), b.saga("K-2", booked), b.saga("K-3", booked)
	require.Contains(t, b.ok("saga", "signal", "approval", early), "kept until the step is reached")
	b.fails(cli.ExitRefused, "duplicate it: a signal for the step is kept already", "saga", "signal", "approval", early)
	require.Contains(t, b.ok("saga", "signal", "approval", yes, "--output", `{"by": "grace"}`, "--reason", "good guest"), "signalled: good guest")
	require.Contains(t, b.ok("saga", "signal", "approval", "--key", "trip/K-3", "--refuse", "--reason", "no credit"), "is ABORTING: refused: no credit")
	b.fails(cli.ExitRefused, "waits for no such signal", "saga", "signal", "hotel", yes)
	require.Equal(t, "K-1 STARTED, K-2 STARTED, K-3 ABORTING", b.statuses())
	require.JSONEq(t, `{"by": "grace"}`, b.text(`SELECT outputs ->> 'approval' FROM saga WHERE id = $1`, uuid.MustParse(yes)))
	require.NotEqual(t, no, yes)

	b.saga("K-4", booked)
	b.saga("K-5")
	out := b.ok("saga", "signal", "approval", "--all")
	require.Contains(t, out, "1 saga would be signalled.\n", "only who waits for it")
	require.Contains(t, b.ok("saga", "signal", "approval", "--all", token(t, out)), "1 saga signalled.\n")
}

var tokenPattern = regexp.MustCompile(`--token=\S+`)

func token(t *testing.T, out string) string {
	t.Helper()
	found := tokenPattern.FindString(out)
	require.NotEmpty(t, found, out)
	return found
}

// Without a token nothing happens; the command that is printed does it, and no more.
func TestActOnManySagas(t *testing.T) {
	b := setup(t)
	b.ok("definition", "apply", b.file)
	for i := range 12 {
		b.saga(fmt.Sprintf("K-%02d", i))
	}
	b.saga("K-90", reply("hotel", saga.Request, saga.OutcomeSucceeded))
	b.saga("K-91", reply("hotel", saga.Request, saga.OutcomeFailed))
	b.exec(`UPDATE saga SET started_at = now() - interval '2 hours' WHERE business_key IN ('K-00', 'K-01', 'K-90')`)

	out := b.ok("saga", "abort", "--older-than", "1h", "--type", "trip", "--reason", "it's late", "--who", "ada")
	require.Regexp(t, `^3 sagas would be aborted\.\nID +TYPE +KEY +STATUS .*\n\S+ +trip +K-90 .*\n\S+ +trip +K-01 .*\n\S+ +trip +K-00 .*\n\n`, out)
	require.Regexp(t, `\n  orchestrator saga abort --older-than=\d{4}-\S+Z --reason='it'\\''s late' --type=trip --who=ada --token=3-\w+-\w+\n$`, out)
	require.NotContains(t, b.statuses(), "ABORTING")
	older := regexp.MustCompile(`--older-than=\S+`).FindString(out)

	again := []string{"saga", "abort", older, "--type", "trip", "--reason", "late", token(t, out)}
	b.fails(cli.ExitRefused, "another verb, step, output or filter", "saga", "kill", older, "--type", "trip", "--reason", "late", token(t, out))
	report := b.refused("1 of 3 sagas refused", again...)
	require.Regexp(t, `^2 sagas aborted\.\nREFUSED +WHY\n1 +a step that cannot be undone may have taken effect \(asked for: late\)\n$`, report)
	b.ok("saga", "kill", "--key", "trip/K-00", "--reason", "settled")
	b.fails(cli.ExitRefused, "3 sagas matched then and 2 match now", again...)

	out = b.ok("saga", "pause", "--status", "STARTED", "--limit", "11")
	require.Contains(t, out, "11 sagas would be paused.\n")
	require.Contains(t, out, "… and 1 more\n")
	var dry struct {
		Matching int
		Token    string
		Command  string
		First    []struct{ ID string }
	}
	require.NoError(t, json.Unmarshal([]byte(b.ok("saga", "pause", "--status", "STARTED", "--limit", "11", "--json")), &dry))
	require.Equal(t, 11, dry.Matching)
	require.Len(t, dry.First, 10)
	require.Equal(t, "orchestrator saga pause --json=true --limit=11 --status=STARTED --token="+dry.Token, dry.Command)
	require.JSONEq(t, `{"done": 11, "refused": {}}`, b.ok("saga", "pause", "--status", "STARTED", "--limit", "11", "--json", "--token", dry.Token))
	require.Equal(t, 11, strings.Count(b.statuses(), "paused"))
	require.Contains(t, b.ok("saga", "resume", "--paused", token(t, b.ok("saga", "resume", "--paused"))), "11 sagas resumed.\n")
	require.Equal(t, "No saga matches that has not ended.\n", b.ok("saga", "resume", "--paused"))
	retried := b.ok("saga", "retry", "--step", "flight")
	require.Contains(t, retried, "1 saga would be retried.\n")
}

func TestListFilters(t *testing.T) {
	b := setup(t)
	b.ok("definition", "apply", b.file)
	b.saga("K-1")
	b.saga("K-2", reply("hotel", saga.Request, saga.OutcomeFailed))
	b.saga("K-3", reply("hotel", saga.Request, saga.OutcomeSucceeded), saga.Action{Verb: saga.Pause, Who: "ada"})
	b.saga("K-4", reply("hotel", saga.Request, saga.OutcomeSucceeded), reply("hotel", saga.Request, saga.OutcomeFailed))
	b.exec(`UPDATE saga SET started_at = now() - interval '2 hours' WHERE business_key <> 'K-4'`)
	b.exec(`UPDATE saga SET wake_at = now() - interval '1 minute', look_at = now() - interval '1 minute' WHERE business_key = 'K-1'`)
	for _, c := range []struct {
		want  string
		flags []string
	}{
		{"K-4 K-3 K-2 K-1", nil},
		{"K-4 K-2", []string{"--status", "parked,aborted"}},
		{"K-4 K-3", []string{"--step", "flight"}},
		{"K-3 K-2 K-1", []string{"--older-than", "1h"}},
		{"K-4", []string{"--younger-than", "1h"}},
		{"K-2", []string{"--failure", "refused"}},
		{"K-4", []string{"--park-reason", "contradictory replies"}},
		{"K-4 K-1", []string{"--stuck"}},
		{"K-1", []string{"--overdue"}},
		{"K-4", []string{"--parked"}},
		{"K-3", []string{"--paused"}},
		{"K-2", []string{"--key", "trip/K-2"}},
		{"", []string{"--key", "tour/K-2"}},
		{"", []string{"--stuck", "--younger-than", "2020-01-01T00:00:00Z", "--older-than", "2020-01-02T00:00:00+01:00"}},
	} {
		require.Equal(t, c.want, b.keys(append([]string{"saga", "list", "--json"}, c.flags...)...), c.flags)
	}
	require.Equal(t, "K-2", b.keys("saga", "list", "--json", "--limit", "1", "--after", b.text(`SELECT id::text FROM saga WHERE business_key = 'K-3'`)))
	code, out, errs := run(t, "saga", "list", "--limit", "2")
	require.Zero(t, code)
	last := b.text(`SELECT id::text FROM saga WHERE business_key = 'K-3'`)
	require.Contains(t, out, last)
	require.Equal(t, "There may be more: go on with --after "+last+"\n", errs)
}

// keys are the business keys of the sagas in the JSON that the command prints.
func (b *bench) keys(args ...string) string {
	b.Helper()
	var list []struct{ BusinessKey string }
	require.NoError(b, json.Unmarshal([]byte(b.ok(args...)), &list))
	keys := make([]string, len(list))
	for i, s := range list {
		keys[i] = s.BusinessKey
	}
	return strings.Join(keys, " ")
}

// What looks like a secret or card data is shown only where it is asked for.
func TestShowRedacts(t *testing.T) {
	b := setup(t)
	b.ok("definition", "apply", b.file)
	id := b.saga("K-1", saga.Reply{
		Step: "hotel", Operation: saga.Request, Outcome: saga.OutcomeSucceeded, MessageID: "m",
		Output: map[string]any{"ref": "X", "payment": map[string]any{"cardToken": "tok_4929", "IBAN": "DE02"}},
	})
	for _, args := range [][]string{{"saga", "show", id}, {"saga", "show", "--key", "trip/K-1"}, {"saga", "show", id, "--json"}} {
		out := b.ok(args...)
		require.NotContains(t, out, "4929")
		require.NotContains(t, out, "DE02")
		require.Contains(t, out, "[redacted]")
		revealed := b.ok(append(args, "--reveal")...)
		require.Contains(t, revealed, "tok_4929")
		require.Contains(t, revealed, "DE02")
	}
	for _, s := range []string{"list", "list --json", "abort --all --reason x", "abort --all --reason x --json"} {
		require.NotContains(t, b.ok(append([]string{"saga"}, strings.Fields(s)...)...), "4929")
	}
}

// What others wrote does not reach the terminal as it is.
func TestOutputHarmsNoTerminal(t *testing.T) {
	b := setup(t)
	b.ok("definition", "apply", b.file)
	evil := reply("hotel", saga.Request, saga.OutcomeFailed)
	evil.Problem.Title = "Sold\nout\x1b[2J"
	id := b.saga("K\x1b[31m-1", evil)
	for _, args := range [][]string{{"saga", "list"}, {"saga", "show", id}} {
		require.NotContains(t, b.ok(args...), "\x1b")
	}
}

func TestWrongUseOfActs(t *testing.T) {
	b := setup(t)
	b.ok("definition", "apply", b.file)
	id := b.saga("K-1")
	for _, c := range []struct {
		code int
		want string
		args string
	}{
		{cli.ExitUsage, "say which sagas", "retry"},
		{cli.ExitUsage, "say which sagas", "retry --all --stuck"},
		{cli.ExitUsage, "say which sagas", "signal approval"},
		{cli.ExitUsage, "needs the step", "signal"},
		{cli.ExitUsage, "one saga is named", "retry " + id + " --all"},
		{cli.ExitUsage, "one saga is named", "retry " + id + " --stuck"},
		{cli.ExitUsage, "one saga is named", "retry " + id + " --token 1-2-3"},
		{cli.ExitUsage, "one saga is named", "pause --key trip/K-1 --step hotel"},
		{cli.ExitUsage, "not by both", "pause " + id + " --key trip/K-1"},
		{cli.ExitUsage, "has to be a UUID", "pause 17"},
		{cli.ExitUsage, "has to be a UUID", "pause {" + id + "}"},
		{cli.ExitUsage, "is not TYPE/KEY", "pause --key K-1"},
		{cli.ExitUsage, "is not of --type tour", "list --key trip/K-1 --type tour"},
		{cli.ExitUsage, "not a JSON object", "skip " + id + " --reason x --output [1]"},
		{cli.ExitUsage, "unknown flag", "pause " + id + " --output {}"},
		{cli.ExitUsage, "who it was is missing", "pause " + id + " --who="},
		{cli.ExitUsage, "say why", "kill --all"},
		{cli.ExitUsage, "neither an age", "list --older-than yesterday"},
		{cli.ExitUsage, "neither an age", "list --younger-than -5s"},
		{cli.ExitUsage, "has ended", "pause --status COMPLETED"},
		{cli.ExitUsage, "class of the failure", "list --failure tired"},
		{cli.ExitUsage, "reason of being parked", "list --park-reason tired"},
		{cli.ExitUsage, "has to be a UUID", "list --after x"},
		{cli.ExitUsage, "needs the saga's id", "show " + id + " --key trip/K-1"},
		{cli.ExitRefused, "not one that was given out", "pause --all --token x"},
		{cli.ExitNotFound, "no such saga", "pause " + uuid.NewString()},
		{cli.ExitNotFound, "key trip/K-2: no such saga", "pause --key trip/K-2"},
		{cli.ExitNotFound, "no such saga", "show --key tour/K-1"},
	} {
		b.fails(c.code, c.want, append([]string{"saga"}, strings.Fields(c.args)...)...)
	}
	require.Equal(t, "K-1 STARTED", b.statuses())
}
