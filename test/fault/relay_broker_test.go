package fault

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
	"go.example/saga/internal/testenv"
	sagasql "go.example/saga/sql"
)

// TestRelayOutlivesItsBroker does to a whole broker what can be done to one while
// messages flow. After each trouble all of them have arrived, in order.
func TestRelayOutlivesItsBroker(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	secret := filepath.Join(t.TempDir(), "amqp-url")
	require.NoError(t, os.WriteFile(secret, []byte(n.URL), 0o600))
	db := testenv.Database(t, sagasql.Outbox)
	r := &road{T: t, db: db, database: db.Config().ConnString(), broker: n.URL}
	got := r.watch()
	relay := startRelay(t, "DATABASE_URLS="+r.database, "AMQP_URL_FILE="+secret, "RELAY_LEASE=5s", "RELAY_WINDOW=256")
	relay.awaitHealthy()
	during := func(trouble func()) func(*testing.T) {
		return func(t *testing.T) {
			work := r.write(8, 2000)
			got.await(got.distinct() + 500)
			trouble()
			work.done()
			got.requireAll()
			relay.awaitHealthy()
		}
	}

	// The broker is short of memory and blocks who publishes; the relay holds no
	// transaction open meanwhile, and goes on by itself.
	t.Run("memory alarm", during(func() {
		n.ctl("set_vm_memory_high_watermark", "0.000001")
		more := r.write(8, 200) // who publishes nothing is not blocked
		relay.awaitTrouble("blocked")
		require.Zero(t, stacktest.Count(t, db, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'relay' AND clock_timestamp() - xact_start > interval '1 s'`))
		n.ctl("set_vm_memory_high_watermark", "0.4")
		more.done()
	}))

	// The broker answers nothing and does not end its connections either.
	t.Run("frozen", during(func() {
		n.signal(syscall.SIGSTOP)
		start := time.Now()
		relay.awaitTrouble("broker-down")
		t.Logf("noticed after %v", time.Since(start).Round(time.Millisecond))
		n.signal(syscall.SIGCONT)
	}))

	t.Run("killed", during(func() {
		n.crash()
		relay.awaitTrouble("broker-down")
		n.await()
	}))

	// The relay's password is changed, its session ended, and the file with the URL
	// written last.
	t.Run("credentials rotated", during(func() {
		n.ctl("eval", `rabbit_auth_backend_internal:add_user(<<"relay">>, <<"first">>, <<"test">>),
			rabbit_auth_backend_internal:set_permissions(<<"relay">>, <<"/">>, <<".*">>, <<".*">>, <<".*">>, <<"test">>),
			[rabbit_networking:close_connection(C, "test") || C <- rabbit_networking:connections()], ok.`)
		as := func(password string) {
			url := strings.Replace(n.URL, "guest:guest", "relay:"+password, 1)
			require.NoError(t, os.WriteFile(secret, []byte(url), 0o600))
		}
		as("wrong")
		n.ctl("eval", `[rabbit_networking:close_connection(C, "test") || C <- rabbit_networking:connections()], ok.`)
		relay.awaitTrouble("broker-down")
		as("first")
	}))

	// A message that is larger than the broker takes is parked; the others flow.
	t.Run("message too large", func(t *testing.T) {
		n.ctl("eval", `application:set_env(rabbit, max_message_size, 100000), persistent_term:put(max_message_size, 100000),
			[rabbit_networking:close_connection(C, "test") || C <- rabbit_networking:connections()], ok.`) // for new sessions
		_, err := db.Exec(t.Context(), `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
			VALUES ('large', 'large', 'large', '', $1, to_jsonb(repeat('x', 200000)))`, testQueue)
		require.NoError(t, err)
		r.write(8, 2000).done()
		parked := `SELECT count(*) FROM public.outbox_parked WHERE state = 'retry' AND reason = 'fatal'`
		require.Eventually(t, func() bool { return stacktest.Count(t, db, parked) == 1 }, patience, 20*time.Millisecond)
		got.await(stacktest.Count(t, db, `SELECT count(*) - 1 FROM public.outbox`))
		relay.awaitHealthy()
	})
}
