package fault

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/config"
	"go.example/saga/internal/dev/stack/stacktest"
	"go.example/saga/internal/testenv"
)

// as makes the road's relays log in as a role that may do anything with the tables' rows.
func (r *road) as() (role string) {
	r.Helper()
	role, pool := testenv.Login(r, r.db)
	r.database = pool.Config().ConnString()
	r.exec(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ` + role)
	return role
}

func (r *road) exec(sql string) {
	r.Helper()
	_, err := r.db.Exec(context.Background(), sql)
	require.NoError(r, err)
}

// get is what the health port answers.
func (p *relayProcess) get(path string) (code int, body string) {
	p.Helper()
	res, err := http.Get("http://" + p.addr + path)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(p, err)
	return res.StatusCode, string(text)
}

func (p *relayProcess) awaitBody(path string, wantCode int, want ...string) {
	p.Helper()
	var code int
	var body string
	require.Eventually(p, func() bool {
		code, body = p.get(path)
		for _, w := range want {
			if !strings.Contains(body, w) {
				return false
			}
		}
		return code == wantCode
	}, patience, 20*time.Millisecond, "%s has %v: %d %s", path, want, code, body)
}

func (p *relayProcess) logged() string {
	p.Helper()
	text, err := os.ReadFile(p.log)
	require.NoError(p, err)
	return string(text)
}

// status is what `relay status` shows, asked as the road's relays are.
func (r *road) status(shards int) relay.Status {
	r.Helper()
	settings := relay.DefaultSettings()
	settings.DatabaseURLs, settings.Shards = config.Secret(r.database), shards
	status, err := relay.ReadStatus(r.Context(), settings)
	require.NoError(r, err)
	return status
}

// One right was missing: scheduled messages went out again with every lease, and nobody
// was told.
func TestAMissingRightIsToldEverywhere(t *testing.T) {
	t.Parallel()
	r := newRoad(t)
	got := r.watch()
	role := r.as()
	r.exec(`REVOKE DELETE ON public.outbox_parked FROM ` + role)
	p := r.relay()
	heal := "GRANT DELETE ON public.outbox_parked TO " + role
	p.awaitBody("/readyz", http.StatusServiceUnavailable, "no-rights", "42501", heal)
	p.awaitBody("/metrics", http.StatusOK, `shard_state{database=`, `state="no-rights"} 1`, `sqlstate="42501",task="publish"`)
	require.Contains(t, p.logged(), heal)
	status := r.status(0)
	require.Equal(t, relay.StateNoRights, status.Shards[0].State)
	require.Contains(t, status.Shards[0].LastError, heal)
	require.False(t, status.OK())

	r.exec(`SELECT public.outbox_append(aggregate_type=>'t', aggregate_id=>'l', type=>'1:1', exchange=>'', routing_key=>'` + testQueue + `',
		payload=>'{}', deliver_at=>now() + interval '100 ms')`)
	r.exec(heal)
	p.awaitHealthy()
	require.Eventually(t, func() bool {
		return stacktest.Count(t, r.db, `SELECT sum(pending) FROM public.outbox_lag`)+stacktest.Count(t, r.db, `SELECT count(*) FROM public.outbox_parked`) == 0
	}, patience, 20*time.Millisecond)
	got.await(1)
	require.Never(t, func() bool { arrived, _ := got.count(); return arrived > 1 }, 2*time.Second, 20*time.Millisecond)
}

// Upkeep and resharding fail for good, and messages flow.
func TestWhatFailsBesidePublishingIsShown(t *testing.T) {
	t.Parallel()
	r := newRoad(t)
	got := r.watch()
	role := r.as()
	r.exec(`REVOKE INSERT ON public.outbox_position FROM ` + role)
	p := r.relay("RELAY_SHARDS=4")
	owner := "ALTER TABLE public.outbox OWNER TO " + role
	insert := "GRANT INSERT ON public.outbox_position TO " + role
	p.awaitBody("/readyz", http.StatusOK, "ok\n", "upkeep fails since", owner, "reshard fails since", insert)
	p.awaitBody("/metrics", http.StatusOK, `task="upkeep"} 1`, `task="reshard"} 1`, `task="metrics"} 0`, `sqlstate="42501",task="upkeep"`)
	require.Contains(t, p.logged(), owner)
	require.Contains(t, p.logged(), insert)
	status := r.status(4)
	require.Equal(t, relay.StateActive, status.Shards[0].State)
	require.Len(t, status.Problems, 2)
	require.Equal(t, "upkeep", status.Problems[0].Task)
	require.Contains(t, status.Problems[0].Problem, owner)
	require.Contains(t, status.Problems[1].Problem, "1 shards, RELAY_SHARDS is 4")
	require.False(t, status.OK())
	r.write(1, 5).done()
	got.requireAll()

	r.exec(insert)
	require.Eventually(t, func() bool { return stacktest.Count(t, r.db, `SELECT count(*) FROM public.outbox_position`) == 4 }, 2*patience, 20*time.Millisecond)
	r.exec(`GRANT CREATE ON SCHEMA public TO ` + role)
	for _, table := range []string{"outbox", "outbox_default", "outbox_p1", "outbox_p1000001", "outbox_p2000001"} {
		r.exec(`ALTER TABLE public.` + table + ` OWNER TO ` + role)
	}
	require.Eventually(t, func() bool { _, body := p.get("/readyz"); return body == "ok\n" }, 2*patience, 20*time.Millisecond)
	require.Empty(t, r.status(4).Problems)
}

// Nobody can look into the position, but for those who were told.
func TestStatusOfALeaseOfTheFuture(t *testing.T) {
	t.Parallel()
	r := newRoad(t)
	r.exec(`UPDATE public.outbox_position SET holder = 'dead', lease_until = clock_timestamp() + interval '1 hour', lease_for = '1 s'`)
	status := r.status(0)
	require.Equal(t, relay.StateVoidLease, status.Shards[0].State)
	require.Empty(t, status.Shards[0].Holder)
	require.Contains(t, status.Shards[0].LastError, "relay dead ends later than it can")
	p := r.relay()
	p.awaitBody("/metrics", http.StatusOK, `kind="lease"} 1`)
	require.Eventually(t, func() bool { return r.status(0).Shards[0].State == relay.StateActive }, patience, 20*time.Millisecond)
}
