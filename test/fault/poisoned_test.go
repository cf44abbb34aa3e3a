package fault

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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

// failingCodes are of good messages that the database will not have, one code each.
var failingCodes = []string{"22003", "22001", "22P02", "23502", "23514", "42883", "54000", "55000", "P0001", "XX000"}

// Bad messages of many kinds come among good ones, two thirds of them inside of an outage. They
// alone are set aside. Some are good messages that the database will not have: each fails alone
// for a minute while others commit, and comes back when that is mended and somebody says so. The
// others can never be mended: `retry` sets them aside again as they were, and `discard` gives
// them up. The minute costs the machine little. `make poison` has a thousand good ones.
func TestBadMessagesAloneAreSetAside(t *testing.T) {
	t.Parallel()
	good, err := strconv.Atoi(cmp.Or(os.Getenv("POISON"), "0"))
	require.NoError(t, err)
	rate := 4
	if good > 0 {
		rate = 20
	}
	s := stacktest.Start(t)
	mend := refuseSome(t, s)
	g := keepComing(t, s, rate)
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
	require.Eventually(t, func() bool { return failing("held") == len(failingCodes) }, patience, 100*time.Millisecond, "those that fail alone are set aside")
	for _, code := range failingCodes {
		require.Equal(t, 1, stacktest.Count(t, s.Reservation, `SELECT count(*) FROM inbox_quarantine
			WHERE code = 'failing' AND reason LIKE '%SQLSTATE ' || $1 || '%'`, code), code)
	}
	require.Eventually(t, func() bool { return g.come.Load() >= int64(good) }, 2*patience, 100*time.Millisecond)
	mend()
	say(t, s, "orchestrator", s.Reservation, "retry", "--reason", "failing", "--note", "mended")
	ids := g.leave(t)
	require.Eventually(t, func() bool { return pending(t, s) == 0 }, patience, 50*time.Millisecond)
	requireOutcomes(t, s, ids)
	requireAgreement(t, s)
	requireWholeHistories(t, s)
	require.Eventually(t, func() bool {
		return stacktest.Count(t, s.Reservation, `SELECT count(*) FROM inbox_quarantine q WHERE code = 'failing' AND state = 'retried'
			AND EXISTS (SELECT FROM saga_history h WHERE h.message_id = q.message_id)`) == len(failingCodes)
	}, patience, 50*time.Millisecond, "those that were put back were heard")
	comeBackAsTheyWere(t, s, "orchestrator", s.Reservation)
	comeBackAsTheyWere(t, s, "hotel", s.Hotel)
	for _, db := range []*pgxpool.Pool{s.Reservation, s.Hotel, s.Payment} {
		require.Zero(t, stacktest.Count(t, db, `SELECT count(*) FROM inbox_quarantine
			WHERE code <> 'failing' AND NOT headers ? $1`, poisonName), "no good message was set aside")
	}
	t.Logf("%d good messages' sagas and %d that failed ended well; %d that cannot be mended were set aside", len(ids)-len(failingCodes), len(failingCodes), len(all))
}

// refuseSome has the database refuse what comes of some guests, each with another code, until
// mend is called.
func refuseSome(t *testing.T, s *stacktest.Stack) (mend func()) {
	t.Helper()
	_, err := s.Reservation.Exec(t.Context(), `CREATE TABLE poison (guest text PRIMARY KEY, code text NOT NULL); GRANT SELECT ON poison TO PUBLIC`)
	require.NoError(t, err)
	for i, code := range failingCodes {
		_, err := s.Reservation.Exec(t.Context(), `INSERT INTO poison VALUES ('"guest-' || $1::int || '"', $2)`, 7+5*i, code)
		require.NoError(t, err)
	}
	_, err = s.Reservation.Exec(t.Context(), `
		CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
		DECLARE refused text;
		BEGIN
			SELECT code INTO refused FROM public.poison WHERE position(guest IN NEW.payload::text) > 0;
			IF FOUND THEN RAISE EXCEPTION 'the database will not have it' USING ERRCODE = refused; END IF;
			RETURN NEW;
		END $$;
		CREATE TRIGGER a_poison BEFORE UPDATE ON saga FOR EACH ROW EXECUTE FUNCTION poison()`)
	require.NoError(t, err)
	return func() {
		_, err := s.Reservation.Exec(context.WithoutCancel(t.Context()), `DROP TRIGGER a_poison ON saga`)
		require.NoError(t, err)
	}
}

// comeBackAsTheyWere says retry of what cannot be mended, which is set aside again with the same
// bytes, properties and headers, and then discard.
func comeBackAsTheyWere(t *testing.T, s *stacktest.Stack, program string, db *pgxpool.Pool) {
	t.Helper()
	const waiting = ` FROM inbox_quarantine WHERE state IN ('held', 'dead') AND headers ? '` + poisonName + `'`
	rows := func() []string {
		return lines(t, db, `SELECT (headers ->> '`+poisonName+`') || ' ' || md5(properties::text || headers::text || encode(body, 'hex'))`+waiting+` ORDER BY 1`)
	}
	deliveries := func() int {
		return stacktest.Count(t, db, `SELECT coalesce(sum(deliveries), 0)::bigint FROM inbox_quarantine`)
	}
	before, delivered := rows(), deliveries()
	require.NotEmpty(t, before)
	say(t, s, program, db, "retry", "--reason", strings.Join(unmendable, ","), "--note", "try")
	require.Eventually(t, func() bool { return deliveries() >= delivered+len(before) && len(rows()) == len(before) }, patience, 50*time.Millisecond, program)
	require.Equal(t, before, rows(), program)
	say(t, s, program, db, "discard", "--reason", strings.Join(unmendable, ","), "--note", "nobody can read them")
	require.Empty(t, rows(), program)
}

// unmendable are the reasons of all poisons: what cannot be read, and replies to sagas or steps
// that there are not.
var unmendable = []string{"undecodable", "unknown", "unexpected"}

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

// say has a program put back or discard what is in its quarantine.
func say(t *testing.T, s *stacktest.Stack, program string, db *pgxpool.Pool, args ...string) {
	t.Helper()
	root, err := services.Root()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), filepath.Join(root, ".local", "test-bin", program), append(append([]string{"quarantine"}, args...), "--yes")...)
	command.Env = []string{"DATABASE_URL=" + db.Config().ConnString(), "AMQP_URL=" + s.AMQP}
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
