package fault

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
	"go.example/saga/internal/testenv"
	sagasql "go.example/saga/sql"
)

const (
	testQueue = "test.queue"
	// window and lease are the relays' settings: a crash repeats at most window
	// messages of a shard, and another takes over after the lease.
	window = 256
	lease  = time.Second
)

// road is an outbox, and the virtual host of a broker that its messages go to.
type road struct {
	*testing.T
	db       *pgxpool.Pool
	database string // the URLs that relays use
	broker   string
	trouble  atomic.Pointer[error] // what has ended the writers early
}

func newRoad(t *testing.T) *road {
	t.Helper()
	testenv.Connections(t, 40) // sixteen writers', two relays' and the pool's
	db := testenv.Database(t, sagasql.Outbox)
	return &road{T: t, db: db, database: db.Config().ConnString(), broker: testenv.Vhost(t)}
}

// relay starts a relay on the road.
func (r *road) relay(more ...string) *relayProcess {
	r.Helper()
	return startRelay(r.T, append([]string{
		"DATABASE_URLS=" + r.database, "AMQP_URL=" + r.broker, "RELAY_LEASE=1s", "RELAY_WINDOW=256",
	}, more...)...)
}

// holder is the one of the relays that holds the shard's lease, by the number of its
// process in the lease; nil while none does.
func (r *road) holder(shard int, relays []*relayProcess) *relayProcess {
	r.Helper()
	pid := stacktest.Count(r.T, r.db, `SELECT coalesce((SELECT nullif(split_part(holder, '/', 2), '')::integer FROM public.outbox_position
		WHERE shard = $1 AND lease_until > clock_timestamp()), 0)`, shard)
	i := slices.IndexFunc(relays, func(p *relayProcess) bool { return p.pid() == pid })
	if i < 0 {
		return nil
	}
	return relays[i]
}

// awaitHolder waits until one of the relays holds the shard.
func (r *road) awaitHolder(shard int, relays ...*relayProcess) (holder *relayProcess) {
	r.Helper()
	require.Eventually(r, func() bool { holder = r.holder(shard, relays); return holder != nil },
		patience, 10*time.Millisecond, "a relay holds shard %d", shard)
	return holder
}

// others are the relays but for one.
func others(relays []*relayProcess, but *relayProcess) []*relayProcess {
	return slices.DeleteFunc(slices.Clone(relays), func(p *relayProcess) bool { return p == but })
}

// tenures is how often a relay has taken a lease.
func (r *road) tenures() int {
	r.Helper()
	return stacktest.Count(r.T, r.db, `SELECT sum(epoch) FROM public.outbox_position`)
}
