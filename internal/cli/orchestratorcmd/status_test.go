package orchestratorcmd_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/orchestrator"
	"go.example/saga/internal/cli"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox/outboxpg"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// status is what `orchestrator status` says.
func (b *bench) status() (status orchestrator.Status, code int) {
	b.Helper()
	code, out, errs := run(b.T, "status", "--json")
	require.NoError(b, json.Unmarshal([]byte(out), &status), errs)
	return status, code
}

// relayed has a relay hold the lease of the database's only shard.
func (b *bench) relayed() {
	b.Helper()
	_, err := outboxpg.New(b.db, "").Acquire(b.Context(), 0, "relay-1", time.Minute)
	require.NoError(b, err)
}

// consume opens a session on a queue until the test ends.
func (b *bench) consume(topology rabbit.Topology, queue string) {
	b.Helper()
	url := os.Getenv("AMQP_URL")
	consumer, err := rabbit.OpenConsumer(b.Context(), rabbit.Config{
		Name: "test", URL: func(context.Context) (string, error) { return url, nil },
	}, topology, queue, 1)
	require.NoError(b, err)
	b.Cleanup(func() { _ = consumer.Close() })
}

// From an empty database to one that is served: what is missing has a name, and exit
// code 1 until nothing is.
func TestStatusNamesWhatIsMissing(t *testing.T) {
	b := empty(t)
	status, code := b.status()
	require.Equal(t, cli.ExitFailed, code)
	require.Equal(t, orchestrator.StateNoTables, status.State)

	b.ok("migrate")
	status, code = b.status()
	require.Equal(t, cli.ExitFailed, code, "nobody publishes")
	require.Equal(t, orchestrator.StateActive, status.State)
	require.Equal(t, orchestrator.BrokerUnknown, status.Broker)
	require.Empty(t, status.Outbox[0].Holder)
	b.relayed()
	status, code = b.status()
	require.Equal(t, cli.ExitOK, code, status)

	t.Setenv("AMQP_URL", testenv.Vhost(t))
	status, code = b.status()
	require.Equal(t, cli.ExitFailed, code)
	require.Equal(t, orchestrator.StateNoOrchestrator, status.State)
	b.consume(rabbit.ReplyTopology(testenv.Owner), protocol.ReplyQueue(testenv.Service))
	status, code = b.status()
	require.Equal(t, cli.ExitOK, code, status)
	require.Equal(t, []orchestrator.QueueStatus{{Name: protocol.ReplyQueue(testenv.Service), Consumers: 1}}, status.Queues)

	t.Setenv("AMQP_URL", "amqp://guest:s3cret@127.0.0.1:1/")
	code, out, errs := run(t, "status")
	require.Equal(t, cli.ExitFailed, code)
	require.Contains(t, out, "unreachable")
	require.NotContains(t, out+errs, "s3cret")
}

// What runs is counted by type and status, with what waits for somebody.
func TestStatusCountsSagas(t *testing.T) {
	b := setup(t)
	b.relayed()
	b.ok("definition", "apply", b.file)
	b.saga("K-1")
	b.saga("K-2", saga.Action{Verb: saga.Pause, Who: "me", Reason: "test"})
	_, err := b.db.Exec(t.Context(), `INSERT INTO inbox_quarantine (consumer, queue, code, reason, exchange, routing_key, properties, headers, body, message_sha256)
		VALUES ('orchestrator', 'saga.replies.trips', 'undecodable', 'not a reply', '', 'saga.replies.trips', '{}', '{}', '', '')`)
	require.NoError(t, err)
	code, out, errs := run(t, "status")
	require.Zero(t, code, out+errs)
	golden(t, "status.txt", strings.ReplaceAll(steady(out), b.db.Config().ConnConfig.Database, "<database>"))

	_, err = b.db.Exec(t.Context(), `UPDATE saga SET wake_at = now() - interval '1 minute', look_at = now() - interval '1 minute' WHERE wake_at IS NOT NULL`)
	require.NoError(t, err)
	status, code := b.status()
	require.Equal(t, cli.ExitFailed, code)
	require.Equal(t, orchestrator.StateOverdue, status.State)
	require.GreaterOrEqual(t, status.OverdueSeconds, int64(60))

	_, err = b.db.Exec(t.Context(), `UPDATE saga SET status = 'PARKED', park_reason = 'attempts spent', wake_at = NULL, look_at = 'infinity' WHERE wake_at IS NOT NULL`)
	require.NoError(t, err)
	status, code = b.status()
	require.Equal(t, cli.ExitFailed, code)
	require.Equal(t, orchestrator.StateActive, status.State)
	require.Equal(t, 1, status.Count(saga.StatusParked))
}

// A role that lacks rights, or sees no more than a part, is told the statement.
func TestStatusNamesMissingRights(t *testing.T) {
	b := setup(t)
	b.relayed()
	role := testenv.Role(t, b.db, append(testenv.Grants(sagapg.RightsToDrive...), `GRANT SELECT ON outbox_lag TO {role}`)...)
	name := role.Config().ConnConfig.User
	t.Setenv("DATABASE_URL", strings.Replace(b.db.Config().ConnString(), "//postgres@", "//"+name+"@", 1))
	for _, cure := range []string{"GRANT DELETE, INSERT, SELECT, UPDATE ON public.inbox_quarantine TO {role}", "ALTER ROLE {role} BYPASSRLS"} {
		status, code := b.status()
		require.Equal(t, cli.ExitFailed, code)
		require.Equal(t, orchestrator.StateNoRights, status.State)
		require.Contains(t, status.LastError, strings.ReplaceAll(cure, "{role}", name))
		testenv.AsRole(t, b.db, name, cure)
		if strings.HasPrefix(cure, "GRANT") {
			_, code = b.status()
			require.Equal(t, cli.ExitOK, code)
			testenv.AsRole(t, b.db, name, `ALTER TABLE saga_history ENABLE ROW LEVEL SECURITY`)
		}
	}
	status, code := b.status()
	require.Equal(t, cli.ExitOK, code, status)

	t.Setenv("DATABASE_URL", "postgres://nobody:s3cret@127.0.0.1:1/none")
	code, out, errs := run(t, "status")
	require.Equal(t, cli.ExitFailed, code)
	require.Contains(t, out, "unreachable")
	require.NotContains(t, out+errs, "s3cret")
}
