package fault

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox/outboxpg"
)

// longLease is not over when a frozen relay wakes up.
const longLease = "RELAY_LEASE=1m"

// A standby that lacks the last commits is promoted while the relay is frozen for less than
// its lease. A pooler in between keeps the relay's connections. New transactions get the
// numbers that the relay has seen used: what they commit is published, and nothing is shown
// as published before.
func TestAStandbyThatLacksCommitsIsPromoted(t *testing.T) {
	t.Parallel()
	primary := newCluster(t)
	primary.start()
	primary.install()
	standby := primary.standby()
	r := primary.road(testenv.Vhost(t))
	between := startPooler(t, primary)
	r.database = between.url(clusterDatabase)
	got := r.watch()
	relay := r.relay(longLease)
	r.publish(got, "kept")
	standby.awaitReplay(primary)

	standby.exec("postgres", `ALTER SYSTEM SET primary_conninfo = ''`)
	standby.exec("postgres", `SELECT pg_reload_conf()`)
	require.Eventually(t, func() bool {
		return stacktest.Count(t, r.db, `SELECT count(*) FROM pg_stat_replication`) == 0
	}, patience, 10*time.Millisecond)
	primary.burn(1000)
	r.publish(got, "tail")

	relay.freeze()
	between.console(`PAUSE`)
	primary.end(syscall.SIGKILL)
	standby.exec("postgres", `SELECT pg_promote()`)
	r.db = standby.pool(clusterDatabase)
	r.commit("early")
	standby.burn(3000)
	r.commit("late")
	require.Equal(t, []string{"early pending", "kept published", "late pending"}, r.states())
	between.lead(standby)
	relay.wake()
	got.await(4 * burst)
	require.Eventually(t, func() bool { return stacktest.Count(t, r.db, `SELECT pending FROM public.outbox_lag`) == 0 },
		patience, 10*time.Millisecond)
	require.Equal(t, []string{"early published", "kept published", "late published"}, r.states())
	arrived, _ := got.count()
	require.LessOrEqual(t, arrived, 5*burst, "the first ones, once more at most")

	relay.awaitBody("/metrics", http.StatusOK, `relay_timeline_changes_total{database="shop"} 1`)
	require.Contains(t, relay.logged(), "another timeline")
	shard := r.status(0).Shards[0]
	require.NotNil(t, shard.TimelineChangedAt)
	require.EqualValues(t, 2, shard.Timeline)
}

// The same without a pooler, for a tenure of the library, whose pool follows the failover.
func TestATenureEndsWithItsServer(t *testing.T) {
	t.Parallel()
	primary := newCluster(t)
	primary.start()
	primary.install()
	standby := primary.standby()
	standby.awaitReplay(primary)
	config, err := pgxpool.ParseConfig(primary.url(clusterDatabase))
	require.NoError(t, err)
	var promoted atomic.Bool
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		if promoted.Load() {
			_, err := fmt.Sscan(standby.port, &c.Port)
			return err
		}
		return nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	tenure, err := outboxpg.New(pool, "").Acquire(t.Context(), 0, "one", time.Minute)
	require.NoError(t, err)
	standby.awaitReplay(primary) // without the lease it would say that somebody else has it

	standby.exec("postgres", `SELECT pg_promote()`)
	standby.burn(1000)
	promoted.Store(true)
	pool.Reset()
	for range 2 {
		_, err = tenure.Read(t.Context(), tenure.Position(), 10)
		require.ErrorIs(t, err, outboxpg.ErrMoved)
		_, err = tenure.Save(t.Context(), outboxpg.Progress{Position: tenure.Position()})
		require.ErrorIs(t, err, outboxpg.ErrMoved)
	}
	require.ErrorIs(t, tenure.Release(t.Context(), outboxpg.Progress{Position: tenure.Position()}), outboxpg.ErrMoved)
}

// The relay is connected to a standby, which says why it waits. The standby is promoted under
// its connections.
func TestTheRelaysServerIsPromotedInPlace(t *testing.T) {
	t.Parallel()
	primary := newCluster(t)
	primary.start()
	primary.install()
	standby := primary.standby()
	r := primary.road(testenv.Vhost(t))
	r.database = oneOf(primary, standby, "any")
	got := r.watch()
	relay := r.relay(longLease)
	r.publish(got, "kept")
	standby.awaitReplay(primary)
	primary.end(syscall.SIGKILL)
	relay.awaitTrouble("standby")
	standby.exec("postgres", `SELECT pg_promote()`)
	r.db = standby.pool(clusterDatabase)
	r.commit("late")
	got.await(2 * burst)
	relay.awaitHealthy()
	relay.awaitBody("/metrics", http.StatusOK, `relay_timeline_changes_total{database="shop"} 1`)
}

// The server comes back with an older copy of its disk, behind a pooler: the same timeline,
// and a past in which the relay's position lies ahead.
func TestAnOlderDiskComesBack(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.start()
	c.install()
	r := c.road(testenv.Vhost(t))
	between := startPooler(t, c)
	r.database = between.url(clusterDatabase)
	got := r.watch()
	relay := r.relay(longLease)
	r.publish(got, "kept")
	between.console(`PAUSE`)
	c.stop()
	older := c.data + ".older"
	c.program("cp", "-a", c.data, older)
	c.start()
	between.console(`RESUME`)
	r.db = c.pool(clusterDatabase)
	c.burn(1000)
	r.publish(got, "lost")

	relay.freeze()
	between.console(`PAUSE`)
	c.end(syscall.SIGKILL)
	require.NoError(t, os.RemoveAll(c.data))
	require.NoError(t, os.Rename(older, c.data))
	c.start()
	r.db = c.pool(clusterDatabase)
	r.commit("early")
	c.burn(3000)
	r.commit("late")
	require.Equal(t, []string{"early pending", "kept published", "late pending"}, r.states())
	between.console(`RESUME`)
	relay.wake()
	got.await(4 * burst)
	require.Eventually(t, func() bool { return stacktest.Count(t, r.db, `SELECT pending FROM public.outbox_lag`) == 0 },
		patience, 10*time.Millisecond)
	require.Equal(t, []string{"early published", "kept published", "late published"}, r.states())
}

// burst is how many messages are committed at a time.
const burst = 20

// commit appends a burst of messages of this type, of an aggregate each and a transaction each.
func (r *road) commit(messageType string) {
	r.Helper()
	for i := range burst {
		_, err := r.db.Exec(r.Context(), `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
			VALUES ('thing', $1, $2, '', $3, '{}')`, fmt.Sprint(messageType, i), messageType, testQueue)
		require.NoError(r, err)
	}
}

// publish is commit, and waits until the relay has written that all are published.
func (r *road) publish(got *witness, messageType string) {
	r.Helper()
	before := got.distinct()
	r.commit(messageType)
	got.await(before + burst)
	require.Eventually(r, func() bool { return stacktest.Count(r.T, r.db, `SELECT pending FROM public.outbox_lag`) == 0 },
		patience, 10*time.Millisecond)
}

// states are those that are shown of the messages, by type.
func (r *road) states() []string {
	r.Helper()
	return texts(r.T, r.db, `SELECT DISTINCT type || ' ' || state AS s FROM public.outbox_overview ORDER BY s`)
}

// standby is a running standby of the cluster.
func (c *cluster) standby() *cluster {
	c.Helper()
	s := clusterIn(c.T)
	s.program("pg_basebackup", "--pgdata="+s.data, "--write-recovery-conf", "--checkpoint=fast", "--no-sync",
		"--dbname="+c.url("postgres"))
	s.start()
	return s
}

// awaitReplay waits until a standby has all that its primary has.
func (c *cluster) awaitReplay(primary *cluster) {
	c.Helper()
	db := primary.pool("postgres")
	require.Eventually(c, func() bool {
		return stacktest.Count(c.T, db, `SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()`) == 1
	}, patience, 10*time.Millisecond)
}
