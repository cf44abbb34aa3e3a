package fault

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox/outboxpg"
)

// TestRelayFollowsItsDatabase: the outbox comes to another cluster in each of the ways
// that there are, and the relay goes on there.
func TestRelayFollowsItsDatabase(t *testing.T) {
	t.Parallel()
	t.Run("dump restored", restoredDump)
	t.Run("pg_upgrade", upgradedCluster)
	t.Run("standby promoted", promotedStandby)
}

// A dump says which of its messages are published, in the numbers of a cluster that the
// other one does not know. What is not, and that alone, is published there: messages in
// the middle of a window, parked ones and those behind them.
func restoredDump(t *testing.T) {
	from, to := newCluster(t), newCluster(t)
	from.start()
	from.install()
	old := from.road("")
	old.halfPublished()
	dump := filepath.Join(filepath.Dir(from.data), "dump.sql")
	from.program("pg_dump", "--file="+dump, from.url(clusterDatabase))
	from.stop()

	to.start()
	to.exec("postgres", `CREATE DATABASE `+clusterDatabase)
	to.program("psql", "--quiet", "--set=ON_ERROR_STOP=1", "--file="+dump, to.url(clusterDatabase))
	r := to.road(testenv.Vhost(t))
	got := r.watchFrom(map[int]int64{1: 2, 2: 5, 3: 5, 4: 5})
	r.relay()
	r.requireRest(got)
}

// pg_upgrade keeps the numbers of transactions: the relay goes on as if nothing had
// been, and renumbers nothing.
func upgradedCluster(t *testing.T) {
	from, to := newCluster(t), newCluster(t)
	from.start()
	from.install()
	from.road("").halfPublished()
	from.stop()
	bin := filepath.Dir(postgresProgram("pg_upgrade"))
	to.program("pg_upgrade", "--no-sync", "--link", "--old-bindir="+bin, "--new-bindir="+bin, "--old-datadir="+from.data, "--new-datadir="+to.data,
		"--old-port="+from.port, "--new-port="+to.port, "--username=postgres", "--socketdir="+filepath.Dir(to.data))
	to.start()
	r := to.road(testenv.Vhost(t))
	require.Zero(t, stacktest.Count(t, r.db, `SELECT public.outbox_is_foreign()::integer`))
	got := r.watchFrom(map[int]int64{1: 2, 2: 5, 3: 5, 4: 5})
	r.relay()
	r.requireRest(got)
}

// A synchronous standby is promoted in the middle of the work. The relay was given the
// addresses of both and finds the one that takes writes.
func promotedStandby(t *testing.T) {
	const rows = 3000
	primary := newCluster(t)
	primary.start()
	primary.install()
	standby := primary.standby()
	primary.exec("postgres", `ALTER SYSTEM SET synchronous_standby_names = '*'`)
	primary.exec("postgres", `SELECT pg_reload_conf()`)
	r := primary.road(testenv.Vhost(t))
	require.Eventually(t, func() bool {
		return stacktest.Count(t, r.db, `SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'`) == 1
	}, patience, 20*time.Millisecond)
	r.write(8, rows).done()

	both, err := pgxpool.New(t.Context(), either(primary, standby))
	require.NoError(t, err)
	t.Cleanup(both.Close)
	r.db, r.database = both, either(primary, standby)
	got := r.watch()
	relay := r.relay()
	got.await(rows / 4)
	primary.end(syscall.SIGKILL)
	relay.awaitTrouble("database-down")
	standby.exec("postgres", `SELECT pg_promote()`)
	relay.awaitHealthy()
	r.write(8, rows/4).done()
	got.requireAll()
	got.requireRepeated(r.tenures() - 1)
}

// halfPublished puts ten messages for each of four keys into the outbox, of which the
// first half is published, but for the first key's from the third on: these are parked.
func (r *road) halfPublished() {
	r.Helper()
	ctx := r.Context()
	_, err := r.db.Exec(ctx, `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		SELECT 'thing', k, k || ':' || n, '', $1, '{}' FROM generate_series(1, 10) AS n, generate_series(1, 4) AS k ORDER BY n, k`, testQueue)
	require.NoError(r, err)
	tenure, err := outboxpg.New(r.db, "").Acquire(ctx, 0, "the old relay", time.Minute)
	require.NoError(r, err)
	page, err := tenure.Read(ctx, tenure.Position(), 40)
	require.NoError(r, err)
	progress := outboxpg.Progress{Position: page.After(19), PublishedID: page.Records[19].Position, Touched: []string{"1"}}
	for _, i := range []int{8, 12, 16} {
		progress.Parked = append(progress.Parked, outboxpg.Parking{Record: page.Records[i], State: outboxpg.Waiting})
	}
	progress.Parked[0].State, progress.Parked[0].Reason, progress.Parked[0].Attempts = outboxpg.Retry, "unroutable", 1
	require.NoError(r, tenure.Release(ctx, progress))
}

// requireRest waits for what halfPublished has left, and for nothing else.
func (r *road) requireRest(got *witness) {
	r.Helper()
	const rest = 8 + 3*5
	got.await(rest)
	require.Eventually(r, func() bool {
		return stacktest.Count(r.T, r.db, `SELECT pending FROM public.outbox_lag`) == 0 &&
			stacktest.Count(r.T, r.db, `SELECT count(*) FROM public.outbox_parked`) == 0
	}, patience, 20*time.Millisecond)
	arrived, repeated := got.count()
	require.Equal(r, rest, arrived)
	require.Zero(r, repeated)
	require.NoError(r, got.disorder)
	require.Equal(r, map[int]int64{1: 10, 2: 10, 3: 10, 4: 10}, got.last)
}
