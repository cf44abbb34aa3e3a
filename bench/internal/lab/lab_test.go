package lab

import (
	"context"
	"math"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestRateLeavesOutTheStart(t *testing.T) {
	t.Parallel()
	start := time.Unix(0, 0)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	w := watch{rows: 1000, start: start, moved: start}
	require.False(t, w.see(0, at(3)))
	require.Equal(t, start, w.moved)
	require.False(t, w.see(10, at(4)))
	require.False(t, w.see(100, at(5))) // the first count above a twentieth
	require.False(t, w.see(100, at(6)))
	require.Equal(t, at(5), w.moved)
	require.True(t, w.see(1000, at(8)))
	require.Equal(t, Progress{First: 4 * time.Second, Rate: 300}, w.progress())
}

func TestReadingsPerHundredThousand(t *testing.T) {
	t.Parallel()
	used := Reading{3, 2, math.NaN()}.Since(Reading{1, 1, 1}, 100_000, 50_000)
	require.InDelta(t, 4, used.Own, 1e-9)
	require.InDelta(t, 2, used.Postgres, 1e-9)
	require.True(t, math.IsNaN(used.Broker))
	require.True(t, math.IsNaN(used.All()))
}

func open(t *testing.T) *Lab {
	t.Helper()
	l, err := Open(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() }) // a second time: does nothing
	return l
}

func TestLabLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	l := open(t)
	database, err := l.Database(t.Context())
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	require.NoError(t, l.Close())

	_, err = pgx.Connect(t.Context(), database)
	require.Error(t, err)
	_, err = amqp.Dial(l.AMQP)
	require.Error(t, err)
	require.NoDirExists(t, l.Dir)
}

func TestQueueIsWatched(t *testing.T) {
	t.Parallel()
	l := open(t)
	for _, kind := range []Kind{Classic, Quorum} {
		q, err := l.Queue(kind)
		require.NoError(t, err)
		sleeper, err := l.Start(exec.Command("sleep", "60"))
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, q.channel.Publish("", q.Name, false, false, amqp.Publishing{Body: []byte("x")}))
		}
		reader, err := q.Read()
		require.NoError(t, err)
		progress, err := reader.Watch(t.Context(), sleeper, 3)
		require.NoError(t, err)
		require.Positive(t, progress.First)
		require.Equal(t, "x", string(reader.First().Body))
		require.NoError(t, sleeper.Stop())
		_, err = reader.Watch(t.Context(), sleeper, 4)
		require.ErrorContains(t, err, "sleep ended")
		require.NoError(t, reader.Close())
		require.NoError(t, q.Delete())
	}
}

func TestServersAreMetered(t *testing.T) {
	t.Parallel()
	l := open(t)
	if l.Meter.Missing != nil {
		t.Skipf("the servers are out of sight: %v", l.Meter.Missing)
	}
	before := l.Meter.Read(os.Getpid())
	database, err := l.Database(t.Context())
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `SELECT sum(sqrt(n)) FROM generate_series(1, 1000000) AS n`)
	require.NoError(t, err)
	alive := l.Meter.Read(os.Getpid())
	require.Greater(t, alive.Postgres, before.Postgres)
	require.Positive(t, alive.Broker)
	require.NoError(t, conn.Close(t.Context()))
	require.Eventually(t, func() bool { return l.Meter.Read(os.Getpid()).Postgres >= alive.Postgres }, 10*time.Second, time.Millisecond)
}

func TestCommitsAreCountedOnceTheirSessionsHaveEnded(t *testing.T) {
	t.Parallel()
	l := open(t)
	database, err := l.Database(t.Context())
	require.NoError(t, err)
	count := func() int64 {
		commits, err := l.Commits(t.Context(), database)
		require.NoError(t, err)
		return commits
	}
	session := func(statements int) int64 {
		before := count()
		conn, err := pgx.Connect(t.Context(), database)
		require.NoError(t, err)
		for range statements {
			_, err := conn.Exec(t.Context(), `SELECT 1`)
			require.NoError(t, err)
		}
		require.NoError(t, conn.Close(t.Context()))
		return count() - before
	}
	idle := session(0)
	require.Equal(t, idle+50, session(50))
	before := count()
	require.Equal(t, before, count(), "to count adds nothing")
}
