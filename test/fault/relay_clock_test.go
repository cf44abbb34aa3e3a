package fault

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/dev/stack/stacktest"
	"go.example/saga/internal/testenv"
)

// clockwork makes the cluster's clock one that the test sets, by a library that is loaded
// into the server.
func (c *cluster) clockwork() (set func(offset string)) {
	c.Helper()
	library, err := services.FakeTime()
	require.NoError(c, err)
	offset := filepath.Join(filepath.Dir(c.data), "clock")
	set = func(by string) {
		c.Helper()
		next := offset + ".next" // the server reads all of it or nothing
		require.NoError(c, os.WriteFile(next, []byte(by+"\n"), 0o644))
		require.NoError(c, os.Rename(next, offset))
	}
	set("+0")
	plain := c.command
	c.command = func() *exec.Cmd {
		cmd := plain()
		cmd.Env = append(cmd.Env, "LD_PRELOAD="+library, "FAKETIME_TIMESTAMP_FILE="+offset,
			"FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1")
		return cmd
	}
	return set
}

// The database's clock is set back by an hour while the relay that holds the shard dies,
// with a message that waits for its retry. Another relay takes over after the lease's
// length, not after the hour, and the retry is not put off either.
func TestTheDatabasesClockIsSetBack(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	set := c.clockwork()
	c.start()
	c.install()
	r := c.road(testenv.Vhost(t))
	dead := r.relay()
	r.awaitHolder(0, dead)
	_, err := r.db.Exec(t.Context(), `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		VALUES ('thing', '1', '1:1', '', $1, '{}')`, testQueue)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return stacktest.Count(t, r.db, `SELECT count(*) FROM public.outbox_parked WHERE state = 'retry'`) == 1
	}, patience, 10*time.Millisecond, "there is no queue yet")
	dead.kill()
	set("-1h")
	require.Equal(t, 1, stacktest.Count(t, r.db, `SELECT (lease_until > clock_timestamp() + interval '50 min')::integer FROM public.outbox_position`))
	require.Equal(t, 1, stacktest.Count(t, r.db, `SELECT count(*) FROM public.outbox_lag WHERE void_holder IS NOT NULL AND holder IS NULL`))
	got := r.watch()
	next := r.relay()
	next.awaitBody("/metrics", 200, `kind="lease"} 1`, `kind="retry"} 1`)
	next.awaitHealthy()
	got.await(1)
	require.Zero(t, stacktest.Count(t, r.db, `SELECT count(*) FROM public.outbox_lag WHERE void_holder IS NOT NULL`))
	got.requireAll()
}
