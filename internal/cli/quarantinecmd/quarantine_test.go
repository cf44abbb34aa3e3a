package quarantinecmd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/hotelcmd"
	"go.example/saga/internal/cli/orchestratorcmd"
	"go.example/saga/internal/cli/paymentcmd"
	"go.example/saga/internal/cli/quarantinecmd"
	"go.example/saga/internal/cli/reservationcmd"
	"go.example/saga/internal/config"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/rabbit"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const queue = "test.queue"

// bench is a quarantine in which 30 messages wait for two reasons, and the queue they came from.
type bench struct {
	*testing.T
	db     *pgxpool.Pool
	target quarantinecmd.Target
}

func setUp(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	testenv.Connections(t, 6)
	b := &bench{T: t, db: testenv.Database(t, sagasql.Inbox)}
	url := testenv.Vhost(t)
	b.target = quarantinecmd.Target{
		Database: config.Database{DatabaseURL: config.Secret(b.db.Config().ConnString())}, Broker: config.Broker{AMQPURL: config.Secret(url)},
	}
	require.NoError(t, rabbit.Declare(t.Context(), b.broker(), rabbit.EventTopology(testenv.Owner, queue)))
	_, err := b.db.Exec(t.Context(), `INSERT INTO inbox_quarantine
		(state, retry_at, consumer, queue, message_id, code, reason, exchange, routing_key, properties, headers, body, message_sha256)
		SELECT CASE WHEN n <= 20 THEN 'held' ELSE 'dead' END, CASE WHEN n <= 20 THEN now() + interval '1 minute' END, CASE WHEN n > 25 THEN 'other' ELSE 'test' END, $1, 'm' || n, CASE WHEN n <= 20 THEN 'failing' ELSE 'undecodable' END,
		       'why', '', $1, '{}', '{"n": {"int32": 5}}', 'private', n::text::bytea FROM generate_series(1, 30) AS n`, queue)
	require.NoError(t, err)
	return b
}

func (b *bench) broker() rabbit.Config {
	return rabbit.Config{Name: "test", URL: func(context.Context) (string, error) { return b.target.Broker.AMQPURL.Reveal(), nil }}
}

func (b *bench) run(words ...string) (code int, out, errs string) {
	b.Helper()
	root := &cobra.Command{Use: "program"}
	root.AddCommand(quarantinecmd.New("program", func() (quarantinecmd.Target, error) { return b.target, nil }))
	return run(b.T, root, append([]string{"quarantine"}, words...)...)
}

func run(t *testing.T, root *cobra.Command, words ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	root.SetArgs(words)
	code = cli.Run(t.Context(), root)
	return code, stdout.String(), stderr.String()
}

func (b *bench) ok(words ...string) string {
	b.Helper()
	code, out, errs := b.run(words...)
	require.Zero(b, code, out+errs)
	return out
}

func (b *bench) count(where string) (n int) {
	b.Helper()
	require.NoError(b, b.db.QueryRow(b.Context(), `SELECT count(*) FROM inbox_quarantine WHERE `+where).Scan(&n))
	return n
}

func (b *bench) depth() int {
	b.Helper()
	states, err := rabbit.Inspect(b.Context(), b.broker(), queue)
	require.NoError(b, err)
	return states[0].Messages
}

func TestRetryPutsBackWhatIsChosen(t *testing.T) {
	b := setUp(t)
	dry := b.ok("retry", "--reason", "failing", "--note", "mended")
	require.Contains(t, dry, "20 messages would be put back")
	require.Contains(t, dry, "program quarantine retry --note=mended --reason=failing --yes")
	require.Zero(t, b.depth())

	require.Contains(t, b.ok("retry", "--reason", "failing", "--note", "mended", "--by", "ada", "--yes"), "put back 20 messages.")
	require.Equal(t, 20, b.depth())
	require.Equal(t, 20, b.count(`state = 'retried' AND code = 'failing' AND handled_by = 'ada' AND note = 'mended' AND handled_at IS NOT NULL`))
	require.Contains(t, b.ok("retry", "--reason", "failing", "--yes"), "No message that waits matches")

	var result struct{ Matching, Retried int }
	require.NoError(t, json.Unmarshal([]byte(b.ok("retry", "--consumer", "other", "--yes", "--json")), &result))
	require.Equal(t, []int{5, 5}, []int{result.Matching, result.Retried})
}

// Also a participant's operator asks by the saga.
func TestTheMessagesOfOneSaga(t *testing.T) {
	b := setUp(t)
	const id = "0193c0de-0000-7000-8000-000000000001"
	_, err := b.db.Exec(t.Context(), `UPDATE inbox_quarantine SET properties = '{"type": "hotel.REQUEST", "correlation_id": "`+id+`"}' WHERE message_id IN ('m3', 'm30')`)
	require.NoError(t, err)
	var list []struct{ MessageID, Type string }
	require.NoError(t, json.Unmarshal([]byte(b.ok("list", "--saga", strings.ToUpper(id), "--json")), &list))
	require.Equal(t, []struct{ MessageID, Type string }{{"m30", "hotel.REQUEST"}, {"m3", "hotel.REQUEST"}}, list)
	require.Contains(t, b.ok("retry", "--saga", id), "2 messages would be put back")
	code, _, errs := b.run("list", "--saga", "17")
	require.Equal(t, cli.ExitUsage, code)
	require.Contains(t, errs, "has to be a UUID")
}

func TestDiscardKeepsWhoAndWhy(t *testing.T) {
	b := setUp(t)
	code, _, errs := b.run("discard", "--reason", "undecodable", "--yes")
	require.Equal(t, cli.ExitUsage, code)
	require.Contains(t, errs, "--note")
	require.Contains(t, b.ok("discard", "--reason", "undecodable", "--note", "broken release"), "Nothing has been changed")
	require.Equal(t, 30, b.count(`state IN ('held', 'dead')`))
	b.ok("discard", "--reason", "undecodable", "--note", "broken release", "--by", "ada", "--yes")
	require.Equal(t, 10, b.count(`state = 'discarded' AND handled_by = 'ada' AND note = 'broken release'`))
	require.Contains(t, b.ok("list", "--state", "discarded"), "m30")
	require.NotContains(t, b.ok("list"), "m30")
	require.Zero(t, b.depth())
}

func TestLooking(t *testing.T) {
	b := setUp(t)
	groups := b.ok("groups")
	require.Regexp(t, `20 +held +test +failing`, groups)
	require.Regexp(t, `5 +dead +other +undecodable`, groups)
	id := 0
	require.NoError(t, b.db.QueryRow(t.Context(), `SELECT id FROM inbox_quarantine WHERE message_id = 'm7'`).Scan(&id))
	shown := b.ok("show", fmt.Sprint(id)) + b.ok("show", fmt.Sprint(id), "--json") + b.ok("list") + groups
	require.Contains(t, shown, `{"n": {"int32": 5}}`)
	require.Regexp(t, `next try +\d{4}-`, shown)
	require.Regexp(t, `dead .* never by itself`, shown)
	require.NotContains(t, shown, "private")
	require.NotContains(t, shown, "cHJpdmF0")
	require.Contains(t, b.ok("show", fmt.Sprint(id), "--body"), "private")
	for want, words := range map[int][]string{
		cli.ExitNotFound: {"show", "4711"},
		cli.ExitUsage:    {"retry"},
	} {
		code, _, _ := b.run(words...)
		require.Equal(t, want, code, words)
	}
	for _, words := range [][]string{{"list", "--reason", "x"}, {"list", "--state", "x"}, {"retry", "--all", "--id", "1"}, {"show", "x"}, {"list", "--limit", "0"}} {
		code, _, _ := b.run(words...)
		require.Equal(t, cli.ExitUsage, code, words)
	}
}

// What cannot be put back is told, and is exit code 4.
func TestRetryTellsWhatIsRefused(t *testing.T) {
	b := setUp(t)
	_, err := b.db.Exec(t.Context(), `UPDATE inbox_quarantine SET queue = 'gone' WHERE message_id = 'm3'`)
	require.NoError(t, err)
	code, out, errs := b.run("retry", "--all", "--yes")
	require.Equal(t, cli.ExitRefused, code)
	require.Contains(t, out, "put back 29 messages.")
	require.Contains(t, out, `no queue "gone"`)
	require.Contains(t, errs, "1 message cannot be put back")
	require.Equal(t, 1, b.count(`state IN ('held', 'dead')`))
}

func TestEveryProgramWithAnInboxHasIt(t *testing.T) {
	b := setUp(t)
	file := filepath.Join(t.TempDir(), "settings.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "database_url: %q\namqp_url: %q\n", b.target.Database.DatabaseURL.Reveal(), b.target.Broker.AMQPURL.Reveal()), 0o600))
	for left, program := range []*cobra.Command{hotelcmd.New(), paymentcmd.New(), reservationcmd.New(), orchestratorcmd.New()} {
		code, out, errs := run(t, program, "quarantine", "retry", "--config", file, "--yes", "--id", fmt.Sprint(left+1))
		require.Zero(t, code, out+errs)
		require.Contains(t, out, "put back 1 message.")
	}
	require.Equal(t, 26, b.count(`state IN ('held', 'dead')`))
}
