package relay

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox/outboxpg"
	"go.example/saga/pkg/rabbit"
	sagasql "go.example/saga/sql"
)

func TestBacklogDrainsInOrder(t *testing.T) {
	b := setup(t)
	b.insert(0, 500)
	got := b.consumeQueue()
	e := b.start(b.config("one"))
	b.awaitFirsts(got, names(0, 500))
	require.Len(t, got.all(), 500)
	b.drained()
	require.Equal(t, Active, e.Status().State)
	require.Equal(t, int64(500), e.Status().PublishedID)
	b.insert(500, 503)
	b.awaitFirsts(got, names(0, 503))
	require.Equal(t, "one", b.lag().Holder)
}

func TestStopFinishesTheWindow(t *testing.T) {
	b := setup(t)
	const rows = 5000
	b.insertTo("", queue, "", 0, rows)
	got := b.consumeQueue()
	e := b.start(b.config("first"))
	b.eventually("it has begun", func() bool { return len(got.all()) > 0 })
	e.stop()
	left := b.lag()
	require.Positive(t, left.Pending, "stopped in the middle of the backlog")
	require.Empty(t, left.Holder, "the lease is free at once")

	b.start(b.config("second"))
	b.awaitSet(got, names(0, rows))
	b.drained()
	require.Len(t, got.all(), rows, "a stop costs no duplicate")
}

func TestStandbyTakesOver(t *testing.T) {
	b := setup(t)
	cable := testenv.StartProxy(t, b.pool.Config().ConnString())
	pool, err := pgxpool.New(t.Context(), cable.URL)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	got := b.consumeQueue()
	cfg := b.config("first")
	cfg.Log = outboxpg.New(pool, "")
	first := b.start(cfg)
	b.awaitState(first, Active)
	second := b.start(b.config("second"))
	b.awaitState(second, Standby)
	b.insert(0, 100)
	b.awaitFirsts(got, names(0, 100))

	cable.Down()
	b.insert(100, 200)
	b.awaitState(second, Active)
	b.awaitFirsts(got, names(0, 200))
	b.awaitState(first, DatabaseDown)

	cable.Heal()
	b.awaitState(first, Standby)
	second.stop()
	b.awaitState(first, Active)
	b.insert(200, 201)
	b.awaitFirsts(got, names(0, 201))
}

// From the database's view a relay that has published and is cut off before it
// could say so has crashed there.
func TestCrashBetweenPublishAndSaveOnlyRepeats(t *testing.T) {
	b := setup(t)
	cable := testenv.StartProxy(t, b.pool.Config().ConnString())
	pool, err := pgxpool.New(t.Context(), cable.URL)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	got := b.consumeQueue()
	cfg := b.config("first")
	cfg.Log = outboxpg.New(pool, "")
	first := b.start(cfg, func(l *limits) { l.save = time.Hour })
	b.insert(0, 10)
	b.eventually("the only save that is due", func() bool { return b.lag().PublishedID > 0 })
	const rows = 20 // too few to hurry the next one
	b.insert(10, rows)
	b.eventually("published", func() bool { return len(got.all()) == rows })
	cable.Down()
	pending := b.lag().Pending
	require.Positive(t, pending, "published and not saved")
	first.stop()

	b.insert(rows, rows+10)
	b.start(b.config("second"))
	b.drained()
	b.awaitFirsts(got, names(0, rows+10))
	require.Len(t, got.all(), rows+10+int(pending), "twice is what was not saved, and nothing else")
}

func TestBrokerThatGoesAwayComesBack(t *testing.T) {
	b := setup(t)
	cable := testenv.StartProxy(t, b.amqp)
	cable.Down() // down at start
	cfg := b.config("one")
	cfg.Open = opener(cable.URL, cfg.Window)
	got := b.consumeQueue()
	b.insert(0, 50)
	e := b.start(cfg)
	b.awaitState(e, BrokerDown)
	b.eventually("the reason stands in the database", func() bool { return b.lag().LastError != "" })
	cable.Heal()
	b.awaitFirsts(got, names(0, 50))
	b.awaitState(e, Active)

	b.drained()
	cable.Down() // away while idle: noticed without a message
	b.awaitState(e, BrokerDown)
	b.insert(50, 500)
	cable.Heal()
	b.eventually("busy", func() bool { return len(got.firsts()) > 100 })
	require.Positive(t, cable.Cut()) // away in the middle
	b.awaitFirsts(got, names(0, 500))
	b.drained()
	b.eventually("the reason is cleared", func() bool { return b.lag().LastError == "" })
}

func TestDatabaseWithoutTablesIsWaitedFor(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t)
	b := &bundle{T: t, pool: pool, amqp: testenv.Vhost(t), log: outboxpg.New(pool, "")}
	e := b.start(b.config("one"))
	b.awaitState(e, DatabaseError)
	require.Contains(t, e.Status().LastError, "relay migrate")
	require.NoError(t, sagasql.Up(t.Context(), pool.Config().ConnString(), "", sagasql.Outbox))
	b.awaitState(e, Active)
}

func TestEnginesDoNotDisturbEachOther(t *testing.T) {
	b := setup(t)
	nowhere, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/none?connect_timeout=1")
	require.NoError(t, err)
	t.Cleanup(nowhere.Close)
	bad := b.config("one")
	bad.Log = outboxpg.New(nowhere, "")
	broken := b.start(bad)
	b.awaitState(broken, DatabaseDown)
	got := b.consumeQueue()
	good := b.start(b.config("one"))
	b.insert(0, 100)
	b.awaitFirsts(got, names(0, 100))
	require.Equal(t, Active, good.Status().State)
	require.Equal(t, DatabaseDown, broken.Status().State)
}

var _ Publisher = (*rabbit.Publisher)(nil)
