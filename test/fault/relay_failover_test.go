package fault

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
)

// standbyOf is an asynchronous standby of a cluster that runs; it is not started.
func standbyOf(primary *cluster) *cluster {
	primary.Helper()
	standby := clusterIn(primary.T)
	standby.program("pg_basebackup", "--pgdata="+standby.data, "--write-recovery-conf", "--checkpoint=fast", "--no-sync",
		"--dbname="+primary.url("postgres"))
	return standby
}

// An asynchronous standby without the last commits is promoted while a relay stands still, for
// less than its lease, behind a pooler that keeps its connection. New writers overtake the
// numbers that its position counts as seen. All that the new primary has committed goes out.
func TestAPositionOfALostTailIsNotUsed(t *testing.T) {
	t.Parallel()
	primary := newCluster(t)
	primary.start()
	primary.install()
	standby := standbyOf(primary)
	primary.append(clusterDatabase, named("kept", 3)...)
	standby.start()
	r := primary.reader(clusterDatabase)
	r.acquire()
	require.Equal(t, named("kept", 3), r.drain())
	require.Eventually(t, func() bool {
		return stacktest.Count(t, r.db, `SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_insert_lsn()`) == 1
	}, patience, 20*time.Millisecond, "the standby has it all")
	standby.stop()
	lost := named("lost", 30)
	primary.append(clusterDatabase, lost...)
	require.Equal(t, lost, r.drain())
	primary.end(syscall.SIGKILL)

	standby.start()
	standby.exec("postgres", `SELECT pg_promote()`)
	r.turnTo(standby)
	news := named("new", 50)
	standby.append(clusterDatabase, news[:5]...)
	r.requireMoved() // its position lies in the future
	standby.append(clusterDatabase, news[5:]...)
	standby.burn(100)
	r.requireMoved() // it does not any more
	r.acquire()
	require.EqualValues(t, 1, r.tenure.FormerTimeline())
	require.Equal(t, news, r.drain())
	lags, err := r.log.Lag(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, lags[0].Timeline)
	require.NotNil(t, lags[0].TimelineChangedAt)
}

// The machine goes back to an older state of its disk: the same timeline, the same numbers
// given again.
func TestAPositionOfAnUndoneDiskIsNotUsed(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.start()
	c.install()
	r := c.reader(clusterDatabase)
	r.acquire()
	c.append(clusterDatabase, "kept")
	require.Equal(t, []string{"kept"}, r.drain())
	r.db.Reset()
	c.stop()
	copied := func(from, to string) {
		out, err := asPostgres(t, exec.Command("cp", "-a", from, to)).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	copied(c.data, c.data+".copy")
	c.start()
	r.acquire()
	undone := named("undone", 30)
	c.append(clusterDatabase, undone...)
	require.Equal(t, undone, r.drain())
	r.db.Reset()
	c.end(syscall.SIGKILL)
	require.NoError(t, asPostgres(t, exec.Command("rm", "-r", c.data)).Run())
	copied(c.data+".copy", c.data)
	c.start()
	news := named("new", 50)
	c.append(clusterDatabase, news...)
	r.requireMoved()
	r.acquire()
	require.Equal(t, news, r.drain())
}
