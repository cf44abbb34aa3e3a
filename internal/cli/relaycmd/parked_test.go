package relaycmd

import (
	"encoding/json"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/testenv"
	sagasql "go.example/saga/sql"
)

// desk is an operator with a database.
type desk struct {
	*testing.T
	pool *pgxpool.Pool
	file string
}

func newDesk(t *testing.T) desk {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	return desk{t, pool, configFile(t, "database_urls: "+pool.Config().ConnString()+"\n")}
}

// relay runs a command that succeeds.
func (d desk) relay(args ...string) (stdout string) {
	d.Helper()
	code, out, errs := command(d.T, d.Context(), d.file, args...)
	require.Equal(d, cli.ExitOK, code, errs)
	return out
}

func (d desk) exec(sql string, args ...any) {
	d.Helper()
	_, err := d.pool.Exec(d.Context(), sql, args...)
	require.NoError(d, err)
}

// column is the result of a query of one column.
func (d desk) column(sql string) []string {
	d.Helper()
	rows, err := d.pool.Query(d.Context(), sql)
	require.NoError(d, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(d, err)
	return found
}

func (d desk) states() []string {
	d.Helper()
	return d.column(`SELECT id || ' ' || state FROM public.outbox_parked ORDER BY id`)
}

// park writes a message of the aggregate to the outbox and sets it aside; the ids are
// 1, 2, 3 and so on.
func (d desk) park(key, state, reason string) {
	d.Helper()
	d.exec(`
		WITH o AS (
		    INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload, headers)
		    VALUES ('test', $1, 'placed', 'events', 'r.1', '{"name": "Ann Smith"}', '{"tenant": "t1"}') RETURNING id)
		INSERT INTO public.outbox_parked (id, aggregate_id, exchange, routing_key, state, reason, error, attempts, next_at, parked_at)
		SELECT id, $1, 'events', 'r.1', $2, nullif($3, ''), nullif($3, ''), 1,
		       CASE WHEN $2 IN ('retry', 'scheduled') THEN now() + interval '1 hour' END, now() - interval '2 hours' FROM o`,
		key, state, reason)
}

func TestParkedList(t *testing.T) {
	d := newDesk(t)
	require.Equal(t, "No parked message matches.\n", d.relay("parked", "list"))
	d.park("a", "dead", "unroutable")
	d.park("a", "waiting", "")
	d.park("b", "retry", "nacked")
	d.exec(`UPDATE public.outbox_parked SET error = E'full\nqueue\x1b[2J' WHERE id = 3`)

	out := d.relay("parked", "list")
	require.Regexp(t, `DATABASE +ID +STATE +REASON .*\n`+
		`\S+ +3 +retry +nacked +1 +\S+Z +\S+Z +placed +b +events r\.1 +full queue \[2J\n`+
		`\S+ +2 +waiting +- .* behind an earlier one of its key\n`+
		`\S+ +1 +dead +unroutable .*\n\n`+
		`DATABASE +STATE +REASON +MESSAGES +OLDEST\n`+
		`\S+ +dead +unroutable +1 +\S+\n\S+ +retry +nacked +1 +\S+\n\S+ +waiting +- +1 +\S+\n$`, out)
	require.NotContains(t, d.relay("parked", "list", "--summary"), "placed")
	require.NotContains(t, out, "Ann")

	for _, flags := range [][]string{
		{"--state", "dead"},
		{"--reason", "unroutable"},
		{"--id", "1"},
		{"--key", "a", "--state", "retry,dead"},
		{"--type", "placed", "--exchange", "events", "--routing-key", "r.1", "--older-than", "1h", "--id", "1,99"},
	} {
		var found []parkedIn
		out := d.relay(append([]string{"parked", "list", "--json"}, flags...)...)
		require.NoError(t, json.Unmarshal([]byte(out), &found))
		require.Len(t, found, 1)
		require.Len(t, found[0].Messages, 1, flags)
		require.EqualValues(t, 1, found[0].Messages[0].ID)
		require.EqualValues(t, 1, found[0].Counts[0].Messages)
	}
	for _, flags := range [][]string{{"--exchange", ""}, {"--older-than", "3h"}, {"--type", "paid"}, {"--state", "discarded"}} {
		require.Equal(t, "No parked message matches.\n", d.relay(append([]string{"parked", "list"}, flags...)...), flags)
	}
}

func TestParkedShow(t *testing.T) {
	d := newDesk(t)
	d.park("a", "dead", "unroutable")
	d.park("a", "waiting", "")
	d.park("a", "waiting", "")
	out := d.relay("parked", "show", "1")
	require.Regexp(t, `state +dead\nreason +unroutable\n`, out)
	require.Regexp(t, `behind it +2 messages of its key\n`, out)
	require.Regexp(t, `header tenant +t1\n`, out)
	require.Regexp(t, `payload +21 bytes\n`, out)
	require.NotContains(t, out, "Ann")
	require.NotContains(t, d.relay("parked", "show", "1", "--json"), "Ann")
	require.Contains(t, d.relay("parked", "show", "1", "--payload"), "\n\n{\"name\": \"Ann Smith\"}\n")
	require.Regexp(t, `waits for +1\n`, d.relay("parked", "show", "3"))

	code, _, errs := command(t, t.Context(), d.file, "parked", "show", "99")
	require.Equal(t, cli.ExitNotFound, code)
	require.Contains(t, errs, "message 99 is not parked")
	for _, args := range [][]string{{"x"}, {}, {"1", "2"}} {
		code, _, _ := command(t, t.Context(), d.file, append([]string{"parked", "show"}, args...)...)
		require.Equal(t, cli.ExitUsage, code)
	}
}

func TestBodyHarmsNoTerminal(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]string{
		"{\"a\":\n\t1}": "{\"a\":\n\t1}", "é": "é", "\xff": "/w==", "\x1b[2J": "G1sySg==", "": "",
	} {
		require.Equal(t, want, body([]byte(payload)))
	}
}

func TestParkedRetry(t *testing.T) {
	d := newDesk(t)
	d.park("a", "dead", "unroutable")
	d.park("a", "waiting", "")
	d.park("b", "dead", "invalid")
	before := d.states()
	out := d.relay("parked", "retry", "--key", "a")
	require.Contains(t, out, ": 1 parked message would be retried.\nOthers: 1 that wait behind an earlier one")
	require.Regexp(t, `dead +unroutable +1 `, out)
	require.Regexp(t, `For example:\nID .*\n1 +dead `, out)
	require.Contains(t, out, "Nothing has been changed. To do it:\n  relay parked retry --config="+d.file+" --key=a --yes\n")
	require.Equal(t, before, d.states())

	out = d.relay("parked", "retry", "--key", "a", "--by", "Eve", "--yes")
	require.Contains(t, out, ": retried 1 message.\n")
	require.Equal(t, []string{"1 retry", "2 waiting", "3 dead"}, d.states())
	require.Regexp(t, `^retried by Eve at \S+Z$`, d.column(`SELECT note FROM public.outbox_parked WHERE id = 1`)[0])

	require.Contains(t, d.relay("parked", "retry", "--id", "2", "--yes"), "no parked message matches that could be retried.\nOthers: 1 that wait")
	require.Contains(t, d.relay("parked", "retry", "--all", "--yes"), ": retried 2 messages.\n")
}

func TestParkedDiscard(t *testing.T) {
	d := newDesk(t)
	d.park("a", "dead", "unroutable")
	d.park("a", "waiting", "")
	d.park("b", "scheduled", "")
	before := d.states()
	out := d.relay("parked", "discard", "--id", "1", "--id", "3", "--note", "it's over")
	require.Contains(t, out, ": 2 parked messages would be discarded.\n")
	require.Contains(t, out, `--id=1 --id=3 --note='it'\''s over' --yes`+"\n")
	require.Equal(t, before, d.states())

	out = d.relay("parked", "discard", "--id", "1", "--note", "it's over", "--yes")
	require.Contains(t, out, ": discarded 1 message.\n")
	require.Equal(t, []string{"1 discarded", "2 retry", "3 scheduled"}, d.states())
	require.Regexp(t, `^discarded by \S+@\S+ at \S+Z: it's over$`, d.column(`SELECT note FROM public.outbox_parked WHERE id = 1`)[0])
	require.Contains(t, d.relay("parked", "list", "--state", "discarded"), "it's over")
	require.Contains(t, d.relay("parked", "discard", "--id", "1", "--note", "x", "--yes"), "no parked message matches")
}

func TestManyParkedMessages(t *testing.T) {
	d := newDesk(t)
	d.exec(`
		WITH o AS (
		    INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		    SELECT 'test', n, 't', '', 'q', '1' FROM generate_series(1, 10000) AS n RETURNING id, aggregate_id)
		INSERT INTO public.outbox_parked (id, aggregate_id, exchange, routing_key, state, reason)
		SELECT id, aggregate_id, '', 'q', 'dead', 'invalid' FROM o`)
	code, out, errs := command(t, t.Context(), d.file, "parked", "retry", "--exchange", "", "--yes")
	require.Equal(t, cli.ExitOK, code, errs)
	require.Contains(t, out, ": retried 10000 messages.\n")
	require.Regexp(t, `^retried 2000 of 10000\n`, errs)
	require.Equal(t, []string{"10000"}, d.column(`SELECT count(*)::text FROM public.outbox_parked WHERE state = 'retry'`))
}

func TestParkedOfSeveralDatabases(t *testing.T) {
	t.Parallel()
	one, two := testenv.Database(t, sagasql.Outbox), testenv.Database(t, sagasql.Outbox)
	name := two.Config().ConnConfig.Database
	file := configFile(t, "database_urls: "+one.Config().ConnString()+" "+two.Config().ConnString()+"\n")
	desk{t, one, file}.park("a", "dead", "invalid")
	d := desk{t, two, file}
	d.park("a", "dead", "invalid")
	require.Regexp(t, `(?s)^DATABASE.*`+one.Config().ConnConfig.Database+` +1 .*`+name+` +1 `, d.relay("parked", "list"))
	require.NotContains(t, d.relay("parked", "list", "--database", name), one.Config().ConnConfig.Database)
	d.relay("parked", "discard", "--all", "--note", "x", "--database", name, "--yes")
	require.Equal(t, []string{"1 discarded"}, d.states())
	require.Equal(t, []string{"1 dead"}, desk{t, one, file}.states())

	for _, args := range [][]string{
		{"parked", "retry", "--all"},
		{"parked", "show", "1"},
		{"replay", "--from", "1"},
		{"parked", "list", "--database", "elsewhere"},
	} {
		code, _, errs := command(t, t.Context(), file, args...)
		require.Equal(t, cli.ExitUsage, code, args)
		require.Contains(t, errs, name, args)
	}
}

// What cannot be reached keeps nobody from seeing the rest.
func TestParkedListWithADatabaseDown(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	file := configFile(t, "database_urls: "+pool.Config().ConnString()+" postgres://svc:s3cretPW@127.0.0.1:1/nowhere\n")
	desk{t, pool, file}.park("a", "dead", "invalid")
	code, out, errs := command(t, t.Context(), file, "parked", "list")
	require.Equal(t, cli.ExitFailed, code)
	require.Contains(t, out, "dead")
	require.Contains(t, errs, "nowhere: ")
	require.NotContains(t, out+errs, "s3cretPW")
}

func TestParkedWrongUse(t *testing.T) {
	d := newDesk(t)
	d.park("a", "dead", "invalid")
	for want, args := range map[string][]string{
		"say which messages":     {"parked", "retry", "--yes"},
		"either --all or":        {"parked", "retry", "--all", "--key", "a", "--yes"},
		`"waiting" is none of`:   {"parked", "retry", "--state", "waiting"},
		`"discarded" is none of`: {"parked", "discard", "--state", "discarded", "--note", "x"},
		`"lost" is none of`:      {"parked", "list", "--reason", "lost"},
		"say why with --note":    {"parked", "discard", "--all", "--yes"},
		"--older-than is":        {"parked", "list", "--older-than", "-1h"},
		"--limit is 0":           {"parked", "list", "--limit", "0"},
		"invalid argument":       {"parked", "list", "--id", "x"},
	} {
		code, _, errs := command(t, t.Context(), d.file, args...)
		require.Equal(t, cli.ExitUsage, code, want)
		require.Contains(t, errs, want)
	}
	require.Equal(t, []string{"1 dead"}, d.states())
}
