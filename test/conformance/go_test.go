package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/orchestratorcmd"
	"go.example/saga/internal/config"
	"go.example/saga/internal/conformance/run"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// inGo is a participant of pkg/participant that writes a row and takes it back.
func inGo(t *testing.T, broker string) (participant.Config, *pgxpool.Pool) {
	t.Helper()
	db := testenv.DatabaseOf(t, "till", sagasql.Outbox, sagasql.Relay, sagasql.Inbox, sagasql.Participant)
	_, err := db.Exec(t.Context(), `CREATE TABLE charge (saga uuid NOT NULL, cents bigint NOT NULL, lasts boolean NOT NULL DEFAULT false)`)
	require.NoError(t, err)
	work := participant.Step{
		Request: func(ctx context.Context, tx pgx.Tx, cmd participant.Command) (jsonmap.JSONMap, error) {
			cents, _ := cmd.Payload.GetInt64("/cents")
			if cents > 100 {
				return nil, participant.Refuse(saga.Problem{Type: "urn:problem:till:limit", Title: "Above the limit"})
			}
			_, err := tx.Exec(ctx, `INSERT INTO charge VALUES ($1, $2)`, cmd.SagaID, cents)
			return jsonmap.JSONMap{"receipt": cmd.SagaID}, err
		},
		Confirm: func(ctx context.Context, tx pgx.Tx, cmd participant.Command) error {
			_, err := tx.Exec(ctx, `UPDATE charge SET lasts = true WHERE saga = $1`, cmd.SagaID)
			return err
		},
		Cancel: func(ctx context.Context, tx pgx.Tx, cmd participant.Command) error {
			_, err := tx.Exec(ctx, `DELETE FROM charge WHERE saga = $1`, cmd.SagaID)
			return err
		},
	}
	return participant.Config{
		Service: "till", DB: db, Steps: map[string]participant.Step{"work": work},
		Open: func(ctx context.Context, owner sagasql.Service) (inbox.Source, error) {
			cfg := rabbit.Config{Name: "till", URL: func(context.Context) (string, error) { return broker, nil }}
			c, err := rabbit.OpenConsumer(ctx, cfg, rabbit.CommandTopology(owner), protocol.CommandQueue(owner.Name), 100)
			if err != nil {
				return nil, err
			}
			return c, nil
		},
	}, db
}

func inBackground(t *testing.T, name string, work func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-done, name)
	})
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "payload.json")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

// command runs `orchestrator conformance`.
func command(t *testing.T, broker string, args ...string) (code int, out, errs string) {
	t.Helper()
	settings := filepath.Join(t.TempDir(), "settings.yaml")
	require.NoError(t, os.WriteFile(settings, []byte(fmt.Sprintf("amqp_url: %q\n", broker)), 0o600))
	var stdout, stderr bytes.Buffer
	root := orchestratorcmd.New()
	root.SetArgs(append([]string{"conformance", "--config", settings, "--step", "work"}, args...))
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	code = cli.Run(t.Context(), root)
	return code, stdout.String(), stderr.String()
}

func all(t *testing.T) []string {
	t.Helper()
	return []string{"--payload", file(t, `{"cents": 5}`), "--refused-payload", file(t, `{"cents": 500}`), "--tcc", "--timeout", "2m", "--restart", "true"}
}

// The participant of this project passes by the broker. What the report says of it is so:
// what stays in its database, and that nothing stays at the broker.
func TestTheParticipantInGo(t *testing.T) {
	t.Parallel()
	broker := testenv.Vhost(t)
	cfg, db := inGo(t, broker)
	p, err := participant.New(cfg)
	require.NoError(t, err)
	inBackground(t, "relay", func(ctx context.Context) error {
		r := relay.DefaultSettings()
		r.DatabaseURLs, r.AMQPURL, r.LogLevel = config.Secret(db.Config().ConnString()), config.Secret(broker), "error"
		return relay.Run(ctx, r)
	})
	inBackground(t, "participant", p.Run)
	code, out, errs := command(t, broker, append(all(t), "--destination", "till", "--json")...)
	require.Equal(t, cli.ExitOK, code, "%s%s", out, errs)
	report := decoded(t, out)

	count := func(query string) (n int) {
		t.Helper()
		require.NoError(t, db.QueryRow(t.Context(), query).Scan(&n))
		return n
	}
	require.Equal(t, len(report.Sagas), count(`SELECT count(DISTINCT saga_id) FROM saga_barrier`))
	require.Equal(t, report.Unreadable, count(`SELECT count(*) FROM inbox_quarantine`))
	require.Equal(t, len(report.Standing), count(`SELECT count(*) FROM charge`))
	require.Equal(t, len(report.Standing), count(`SELECT count(*) FROM charge WHERE lasts`))
	require.Zero(t, count(`SELECT count(*) FROM outbox_parked`), "an answer that had no place to go")
	connection := rabbit.Config{Name: "look", URL: func(context.Context) (string, error) { return broker, nil }}
	require.NoError(t, db.QueryRow(t.Context(), `SELECT routing_key FROM outbox LIMIT 1`).Scan(&out))
	states, err := rabbit.Inspect(t.Context(), connection, out)
	require.NoError(t, err)
	require.False(t, states[0].Exists, "the queue %s is still there", out)
}

// It passes by HTTP, and the table is for people.
func TestTheParticipantInGoByHTTP(t *testing.T) {
	t.Parallel()
	cfg, db := inGo(t, "")
	p, err := participant.New(cfg)
	require.NoError(t, err)
	server := httptest.NewServer(p.Handler())
	defer server.Close()
	code, out, errs := command(t, "", append(all(t), "--url", server.URL)...)
	require.Equal(t, cli.ExitOK, code, "%s%s", out, errs)
	require.Regexp(t, `(?m)^redelivery +holds .*docs/protocol.md#redelivery-order-and-time`, out)
	require.Contains(t, out, "What stays at the participant: its barrier's rows of ")
	var charges int
	require.NoError(t, db.QueryRow(t.Context(), `SELECT count(*) FROM charge WHERE NOT lasts`).Scan(&charges))
	require.Zero(t, charges, "was not taken back")
}

func decoded(t *testing.T, text string) (report run.Report) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &report), text)
	require.True(t, report.Holds)
	for _, c := range report.Checks {
		require.Equal(t, run.Holds, c.Result, c.Check)
	}
	return report
}
