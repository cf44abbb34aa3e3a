package fault

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/dev/stack/stacktest"
	"go.example/saga/pkg/protocol"
)

// Bad messages of many kinds come among a thousand good ones, two thirds of them inside of an
// outage. They alone are set aside. One of them is a good message that the database will
// not have: it fails alone for a minute while others commit, and comes back when that is
// mended and somebody says so. The minute costs the machine little.
func TestBadMessagesAloneAreSetAside(t *testing.T) {
	t.Parallel()
	s := stacktest.Start(t)
	_, err := s.Reservation.Exec(t.Context(), `
		CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'a number is too large' USING ERRCODE = '22003'; END $$;
		CREATE TRIGGER a_poison BEFORE UPDATE ON saga FOR EACH ROW
			WHEN (NEW.payload::text LIKE '%"guest-7"%') EXECUTE FUNCTION poison()`)
	require.NoError(t, err)
	g := keepComing(t, s, 4)
	var first uuid.UUID
	require.Eventually(t, func() bool {
		return s.Reservation.QueryRow(t.Context(), `SELECT id FROM saga WHERE status = 'COMPLETED' LIMIT 1`).Scan(&first) == nil
	}, patience, 50*time.Millisecond)
	all := poisons(first)
	thirds := slices.Collect(slices.Chunk(all, len(all)/3+1))
	publish(t, s, thirds[0])
	for i, table := range []string{"saga", "saga_barrier"} {
		f := faults[slices.IndexFunc(faults, func(f fault) bool { return f.table == table })]
		f.playWith(t, s, "HV00N", 0, func() { publish(t, s, thirds[i+1]) })
	}
	awaitPoisons(t, s.Hotel, namesOf(all, protocol.CommandQueue("hotel")))
	awaitPoisons(t, s.Reservation, namesOf(all, repliesQueue))

	failing := func(state string) int {
		return stacktest.Count(t, s.Reservation, `SELECT count(*) FROM inbox_quarantine WHERE code = 'failing' AND state = $1`, state)
	}
	require.Eventually(t, func() bool { return failing("held") == 1 }, patience, 100*time.Millisecond, "the one that fails alone is set aside")
	_, err = s.Reservation.Exec(context.WithoutCancel(t.Context()), `DROP TRIGGER a_poison ON saga`)
	require.NoError(t, err)
	putBack(t, s)
	require.Equal(t, 1, failing("retried"))
	ids := g.leave(t)
	require.Eventually(t, func() bool { return pending(t, s) == 0 }, patience, 50*time.Millisecond)
	requireOutcomes(t, s, ids)
	requireAgreement(t, s)
	requireWholeHistories(t, s)
	require.Eventually(t, func() bool {
		return stacktest.Count(t, s.Reservation, `SELECT count(*) FROM inbox_quarantine q WHERE code = 'failing'
			AND EXISTS (SELECT FROM saga_history h WHERE h.message_id = q.message_id)`) == 1
	}, patience, 50*time.Millisecond, "the one that was put back was heard")
	for _, db := range []*pgxpool.Pool{s.Reservation, s.Hotel, s.Payment} {
		require.Zero(t, stacktest.Count(t, db, `SELECT count(*) FROM inbox_quarantine
			WHERE state = 'held' AND NOT headers ? $1`, poisonName), "no other message is set aside")
	}
}

// publish puts bad messages into their queues.
func publish(t *testing.T, s *stacktest.Stack, all []poison) {
	t.Helper()
	connection, err := amqp.Dial(s.AMQP)
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	channel, err := connection.Channel()
	require.NoError(t, err)
	require.NoError(t, channel.Confirm(false))
	for _, p := range all {
		confirmed, err := channel.PublishWithDeferredConfirmWithContext(t.Context(), "", p.queue, true, false, p.message)
		require.NoError(t, err)
		require.True(t, confirmed.Wait(), p.name)
	}
}

// awaitPoisons waits until the bad messages of these names are set aside.
func awaitPoisons(t *testing.T, db *pgxpool.Pool, names []string) {
	t.Helper()
	const query = `SELECT count(DISTINCT headers ->> '` + poisonName + `') FROM inbox_quarantine WHERE headers ? '` + poisonName + `'`
	require.Eventually(t, func() bool { return stacktest.Count(t, db, query) >= len(names) }, patience, 50*time.Millisecond, "set aside: %v", names)
	require.ElementsMatch(t, names, lines(t, db, `SELECT DISTINCT headers ->> '`+poisonName+`' FROM inbox_quarantine WHERE headers ? '`+poisonName+`'`))
}

// putBack has the orchestrator put back what failed.
func putBack(t *testing.T, s *stacktest.Stack) {
	t.Helper()
	root, err := services.Root()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), filepath.Join(root, ".local", "test-bin", "orchestrator"),
		"quarantine", "retry", "--reason", "failing", "--note", "mended", "--yes")
	command.Env = []string{"DATABASE_URL=" + s.Reservation.Config().ConnString(), "AMQP_URL=" + s.AMQP}
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
