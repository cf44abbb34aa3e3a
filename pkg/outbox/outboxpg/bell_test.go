package outboxpg

import (
	"context"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	sagasql "go.example/saga/sql"
)

const patience = 20 * time.Second

// tower is a bell that runs until the test ends.
type tower struct {
	*Bell
	t    *testing.T
	logs *observer.ObservedLogs
}

// hang makes a bell that checks itself often and gives up soon. It does not run yet.
func hang(t *testing.T, pool *pgxpool.Pool, schema string) tower {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	bell := NewBell(pool, schema, zap.New(core))
	bell.pace = pace{answer: time.Second, echo: time.Second, check: 20 * time.Millisecond, pooled: 20 * time.Millisecond}
	return tower{Bell: bell, t: t, logs: logs}
}

func (b tower) run() {
	b.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	b.t.Cleanup(func() {
		stop()
		require.NoError(b.t, <-ended)
	})
}

func (b tower) awaitState(listening bool) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return b.State().Listening == listening }, patience, time.Millisecond,
		"listening: %v", listening)
}

func (b tower) awaitRing(next <-chan struct{}) {
	b.t.Helper()
	select {
	case <-next:
	case <-time.After(patience):
		b.t.Fatal("the bell does not ring; it is " + b.State().String())
	}
}

// listeners are the sessions whose last statement was a LISTEN, in the pool's database.
func listeners(t *testing.T, pool *pgxpool.Pool) []int {
	t.Helper()
	rows, err := pool.Query(t.Context(),
		`SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'`)
	require.NoError(t, err)
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	require.NoError(t, err)
	return pids
}

func commitOne(t *testing.T, pool *pgxpool.Pool, schema string) {
	t.Helper()
	require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		return outbox.In(schema).Append(t.Context(), tx, outbox.Message{
			AggregateType: "test", AggregateID: "k", Type: "m", RoutingKey: "queue", Payload: []byte(`{}`),
		})
	}))
}

// through is a pool whose first connection, which becomes the bell's, leads to another
// address than the others.
func through(t *testing.T, pool *pgxpool.Pool, first string) *pgxpool.Pool {
	t.Helper()
	u, err := url.Parse(first)
	require.NoError(t, err)
	config := pool.Config()
	var dials atomic.Int32
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials.Add(1) == 1 {
			address = u.Host
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	return openPool(t, config)
}

func openPool(t *testing.T, config *pgxpool.Config) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func at(t *testing.T, address string) *pgxpool.Config {
	t.Helper()
	config, err := pgxpool.ParseConfig(address)
	require.NoError(t, err)
	return config
}

func TestBellRingsForAllAtACommit(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t)
	require.NoError(t, sagasql.Up(t.Context(), pool.Config().ConnString(), "order", sagasql.Outbox))
	bell := hang(t, pool, "order")
	bell.pace = usualPace
	require.False(t, bell.State().Listening)
	bell.run()
	bell.awaitState(true)
	one, other := bell.Next(), bell.Next()
	commitOne(t, pool, "order")
	bell.awaitRing(one)
	bell.awaitRing(other)
	select {
	case <-bell.Next():
		t.Fatal("rings are closed before they are rung")
	default:
	}
}

// What was announced before it listened, nobody heard.
func TestBellRingsOnceItListens(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	bell := hang(t, pool, "")
	before := bell.Next()
	bell.run()
	bell.awaitRing(before)
	require.Len(t, listeners(t, pool), 1)
}

// Its own announcements, several by then, are no rings.
func TestBellDoesNotRingForItself(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	bell := hang(t, pool, "")
	bell.run()
	bell.awaitState(true)
	next, announced := bell.Next(), pool.Stat().AcquireCount()
	require.Eventually(t, func() bool { return pool.Stat().AcquireCount() > announced+10 }, patience, time.Millisecond)
	select {
	case <-next:
		t.Fatal("it rang")
	default:
	}
}

func TestBellReplacesATerminatedSession(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	bell := hang(t, pool, "")
	bell.run()
	bell.awaitState(true)
	next := bell.Next()
	former := listeners(t, pool)
	require.Len(t, former, 1)
	_, err := pool.Exec(t.Context(), `SELECT pg_terminate_backend($1)`, former[0])
	require.NoError(t, err)
	bell.awaitRing(next)
	bell.awaitState(true)
	require.Eventually(t, func() bool { return len(listeners(t, pool)) == 1 }, patience, time.Millisecond)
	require.NotEqual(t, former, listeners(t, pool))
	next = bell.Next()
	commitOne(t, pool, "")
	bell.awaitRing(next)
}

// A listener whose connection falls silent would wait for ever.
func TestBellReplacesASilentConnection(t *testing.T) {
	t.Parallel()
	direct := testenv.Database(t, sagasql.Outbox)
	proxy := testenv.StartProxy(t, direct.Config().ConnString())
	bell := hang(t, through(t, direct, proxy.URL), "")
	bell.run()
	bell.awaitState(true)
	next := bell.Next()
	proxy.Stall()
	bell.awaitRing(next) // the next session's first
	bell.awaitState(true)
	warnings := bell.logs.FilterLevelExact(zapcore.WarnLevel).All()
	require.Len(t, warnings, 1)
	require.Equal(t, errSilent.Error(), warnings[0].ContextMap()["reason"])
	next = bell.Next()
	commitOne(t, direct, "")
	bell.awaitRing(next)
}

func TestBellOutlivesASilentServer(t *testing.T) {
	t.Parallel()
	direct := testenv.Database(t, sagasql.Outbox)
	proxy := testenv.StartProxy(t, direct.Config().ConnString())
	bell := hang(t, openPool(t, at(t, proxy.URL)), "")
	bell.run()
	bell.awaitState(true)
	proxy.Stall()
	bell.awaitState(false)
	require.NotEmpty(t, bell.State().Reason)
	next := bell.Next()
	proxy.Heal()
	bell.awaitRing(next)
	bell.awaitState(true)
}

func TestBellSaysOnceThatAPoolerKeepsItDeaf(t *testing.T) {
	t.Parallel()
	direct := testenv.Database(t, sagasql.Outbox)
	pooled := openPool(t, at(t, testenv.PgBouncer(t, direct)))
	bell := hang(t, pooled, "")
	next := bell.Next()
	bell.run()
	require.Eventually(t, func() bool { return pooled.Stat().AcquireCount() > 10 }, patience, time.Millisecond)
	require.False(t, bell.State().Listening)
	require.Contains(t, bell.State().String(), "polling only: ")
	require.Contains(t, bell.State().Reason, "pooler in transaction mode")
	require.Equal(t, 1, bell.logs.Len())
	require.Empty(t, listeners(t, direct), "a LISTEN would stay with a session of strangers")
	select {
	case <-next:
		t.Fatal("it rang without listening")
	default:
	}
}

// Even where the sessions look like its own, as they may on a busy pooler.
func TestBellBelievesOnlyWhatItHears(t *testing.T) {
	t.Parallel()
	direct := testenv.Database(t, sagasql.Outbox)
	pooled := through(t, direct, testenv.PgBouncer(t, direct))
	bell := hang(t, pooled, "")
	bell.pace.pooled = time.Hour
	next := bell.Next()
	bell.run()
	bell.awaitRing(next) // it has tried to listen
	require.Eventually(t, func() bool { return bell.State().Reason == errPooled.Error() }, patience, time.Millisecond)
}

// A writer keeps a commit to itself only after so many announcements.
func TestBellSaysWhenItRingsOften(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, c := range []struct {
		rings []time.Duration
		often bool
	}{
		{nil, false},
		{[]time.Duration{0, 0}, false},
		{[]time.Duration{0, 0, 0}, true},
		{[]time.Duration{0, 5 * ms, 12 * ms}, true},
		{[]time.Duration{0, 5 * ms, 13 * ms}, false},
		{[]time.Duration{0, 0, 0, 50 * ms}, false},
		{[]time.Duration{0, 50 * ms, 53 * ms, 56 * ms}, true},
	} {
		bell, now := NewBell(nil, "", zap.NewNop()), time.Now()
		for _, after := range c.rings {
			bell.ring(now.Add(after))
		}
		require.Equal(t, c.often, bell.Often(), c.rings)
	}
}

// Of two services in one database, a busy one neither wakes the other's relay nor keeps it
// from being woken.
func TestBellsOfSchemasAreToldApart(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t)
	bells := map[string]tower{}
	for _, schema := range []string{"hotel", "payment"} {
		require.NoError(t, sagasql.Up(t.Context(), pool.Config().ConnString(), schema, sagasql.Outbox))
		bells[schema] = hang(t, openPool(t, pool.Config()), schema)
		bells[schema].run()
		bells[schema].awaitState(true)
	}
	hotel, payment := bells["hotel"], bells["payment"]
	busy, quiet := payment.Next(), hotel.Next()
	for range 30 {
		commitOne(t, pool, "payment")
	}
	payment.awaitRing(busy)
	heard := hotel.pool.Stat().AcquireCount() // it hears itself behind what was said before
	require.Eventually(t, func() bool { return hotel.pool.Stat().AcquireCount() > heard+10 }, patience, time.Millisecond)
	select {
	case <-quiet:
		t.Fatal("it rang for another schema")
	default:
	}
	require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		message := outbox.Message{AggregateType: "test", AggregateID: "k", Type: "m", RoutingKey: "queue", Payload: []byte(`{}`)}
		for range 2 * outbox.AnnounceBurst { // all that the other schema may announce for now
			if err := outbox.In("payment").Append(t.Context(), tx, message); err != nil {
				return err
			}
		}
		return outbox.In("hotel").Append(t.Context(), tx, message)
	}))
	hotel.awaitRing(quiet)
}
