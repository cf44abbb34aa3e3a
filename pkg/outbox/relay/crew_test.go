package relay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/outboxpg"
)

// working is a crew at work.
type working struct {
	*Crew
	cable *testenv.Proxy // to the database
	stop  func()         // stops it as SIGTERM does and waits for its end
}

func (b *bundle) crew(holder string, adjust ...func(*Config)) working {
	b.Helper()
	cable := testenv.StartProxy(b, b.pool.Config().ConnString())
	cfg := b.config(holder)
	cfg.Log = outboxpg.New(b.poolOf(cable.URL, 8), "")
	for _, a := range adjust {
		a(&cfg)
	}
	crew, err := NewCrew(cfg)
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- crew.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			require.NoError(b, err)
		case <-time.After(patience):
			b.Fatal("the crew did not stop")
		}
	})
	b.Cleanup(stop)
	return working{crew, cable, stop}
}

func (b *bundle) poolOf(url string, size int32) *pgxpool.Pool {
	b.Helper()
	config, err := pgxpool.ParseConfig(url)
	require.NoError(b, err)
	config.MaxConns = size
	testenv.Connections(b, int(size))
	pool, err := pgxpool.NewWithConfig(b.Context(), config)
	require.NoError(b, err)
	b.Cleanup(pool.Close)
	return pool
}

func (b *bundle) reshard(shards int) {
	b.Helper()
	_, err := b.pool.Exec(b.Context(), `SELECT public.outbox_reshard($1)`, shards)
	require.NoError(b, err)
}

func (b *bundle) roster() outboxpg.Roster {
	b.Helper()
	roster, err := b.log.Roster(b.Context())
	require.NoError(b, err)
	return roster
}

// awaitShares waits until the holders have so many shards each, as "a4 b4".
func (b *bundle) awaitShares(want string) {
	b.Helper()
	b.eventually("shares "+want, func() bool {
		counts := map[string]int{}
		for _, holder := range b.roster().Holders {
			counts[holder]++
		}
		var all []string
		for holder, n := range counts {
			all = append(all, fmt.Sprint(holder, n))
		}
		slices.Sort(all)
		return strings.Join(all, " ") == want
	})
}

// awaitActive waits until the crew runs so many engines and all of them publish.
func (b *bundle) awaitActive(c working, engines int) {
	b.Helper()
	b.eventually(fmt.Sprint(engines, " engines are active"), func() bool {
		all := c.Statuses()
		return len(all) == engines && !slices.ContainsFunc(all, func(s Status) bool { return s.State != Active })
	})
}

func (b *bundle) awaitCrew(c working, want State) {
	b.Helper()
	b.eventually("the crew is "+string(want), func() bool { return c.Status().State == want })
}

func TestSecondCrewStandsByForOneShard(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	first := b.crew("first")
	b.awaitCrew(first, Active)
	second := b.crew("second")
	b.awaitCrew(second, Standby)
	b.insert(0, 100)
	b.awaitFirsts(got, names(0, 100))

	first.cable.Down()
	b.insert(100, 200)
	b.awaitCrew(second, Active)
	b.awaitFirsts(got, names(0, 200))
	b.awaitCrew(first, DatabaseDown)

	first.cable.Heal()
	b.awaitCrew(first, Standby)
	second.stop()
	require.NotContains(t, b.roster().Members, "second")
	b.awaitCrew(first, Active)
	b.insert(200, 201)
	b.awaitFirsts(got, names(0, 201))
	require.Equal(t, "first", b.lag().Holder)
}

// A crew that cannot reach the broker gives its lease up time and again; who stands by
// takes the shard, and keeps it.
func TestSpareCrewTakesOverFromOneWithoutABroker(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	cable := testenv.StartProxy(t, b.amqp)
	first := b.crew("first", func(cfg *Config) { cfg.Open = opener(cable.URL, cfg.Window) })
	b.awaitCrew(first, Active)
	second := b.crew("second")
	b.awaitCrew(second, Standby)
	cable.Down()
	b.awaitCrew(second, Active)
	b.insert(0, 100)
	b.awaitFirsts(got, names(0, 100))
	cable.Heal()
	b.awaitCrew(first, Standby)
	require.Equal(t, Active, second.Status().State)
}

func TestCrewsSpreadTheShards(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	b.reshard(8)
	a := b.crew("a")
	b.awaitShares("a8")
	c := b.crew("b")
	b.awaitShares("a4 b4")
	b.awaitActive(a, 4)
	b.awaitActive(c, 4)
	last := b.crew("c")
	b.awaitShares("a3 b3 c2")
	kept := b.roster().Holders

	a.cable.Down() // to the others the same as its death
	b.awaitShares("b4 c4")
	for shard, holder := range b.roster().Holders {
		require.True(t, kept[shard] == "a" || kept[shard] == holder, "only the dead one's shards move")
	}
	b.insertTo("", queue, "", 0, 200)
	b.eventually("all shards publish", func() bool { return len(got.firsts()) == 200 })

	a.cable.Heal()
	b.awaitShares("a2 b3 c3")
	c.stop()
	last.stop()
	require.Equal(t, []string{"a"}, b.roster().Members)
	b.awaitShares("a8")
	b.awaitActive(a, 8)
	a.stop()
	require.Equal(t, outboxpg.Roster{Members: []string{}, Holders: make([]string, 8)}, b.roster())
	b.insertTo("", queue, "", 200, 300)
	b.crew("d")
	b.eventually("the next one goes on", func() bool { return len(got.firsts()) == 300 })
}

// heldBack is a session whose confirms come when the test says so.
type heldBack struct {
	Publisher
	until <-chan struct{}
}

func (h heldBack) Publish(ctx context.Context, r *outbox.Record) (func(context.Context) error, error) {
	wait, err := h.Publisher.Publish(ctx, r)
	return func(ctx context.Context) error {
		select {
		case <-h.until:
			return wait(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}, err
}

// While one engine of a crew that stops still waits for confirms, the shards of the
// others go to who is there.
func TestStoppingCrewIsNotCountedOn(t *testing.T) {
	b := setup(t)
	b.reshard(4)
	got := b.consumeQueue()
	confirms := make(chan struct{})
	long := func(cfg *Config) { cfg.Lease = time.Minute } // which nobody has to wait for
	a := b.crew("a", long, func(cfg *Config) {
		open := cfg.Open
		cfg.Open = func(ctx context.Context) (Publisher, error) {
			session, err := open(ctx)
			return heldBack{session, confirms}, err
		}
	})
	b.awaitShares("a4")
	b.crew("b", long)
	b.awaitShares("a2 b2")
	b.awaitActive(a, 2)
	var key string
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT k FROM generate_series(1, 1000) AS n, concat('k', n) AS k
		WHERE public.outbox_shard(k, 4) = $1 LIMIT 1`, a.Statuses()[0].Shard).Scan(&key))
	b.insertTo("", queue, key, 0, 1)
	b.awaitFirsts(got, names(0, 1))

	stopped := make(chan struct{})
	go func() { defer close(stopped); a.stop() }()
	b.awaitShares("a1 b3")
	close(confirms)
	b.awaitShares("b4")
	<-stopped
}

// Its engines are not stopped, which would cost duplicates, and the log stays short.
func TestCrewKeepsItsShareWhileTheDatabaseIsAway(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	core, logs := observer.New(zap.InfoLevel)
	crew := b.crew("one", func(cfg *Config) { cfg.Logger = zap.New(core) })
	b.awaitCrew(crew, Active)
	crew.cable.Down()
	blind := func() int {
		return logs.FilterMessageSnippet("a task of the relay fails").FilterField(zap.String("task", TaskRoster)).Len()
	}
	b.eventually("the crew notices", func() bool { return blind() > 0 })
	before := crew.cable.Refused()
	b.eventually("it keeps asking", func() bool { return crew.cable.Refused() > before+10 })
	b.awaitCrew(crew, DatabaseDown)
	require.Len(t, crew.Statuses(), 1)
	crew.cable.Heal()
	b.awaitCrew(crew, Active)
	b.insert(0, 10)
	b.awaitFirsts(got, names(0, 10))
	crew.stop()
	require.Equal(t, 1, blind())
	require.Equal(t, 1, logs.FilterMessageSnippet("the share of the shards has changed").Len())
	require.Equal(t, int64(10), crew.Status().Confirmed, "the counters outlive the engines")
}

func TestCrewWaitsForItsDatabase(t *testing.T) {
	t.Parallel()
	b := &bundle{T: t, pool: testenv.Database(t), amqp: testenv.Vhost(t)}
	crew := b.crew("one")
	b.awaitCrew(crew, DatabaseError)
	require.Contains(t, crew.Status().LastError, "relay migrate")
	require.Empty(t, crew.Statuses())
}

// write starts writers of many keys, whose messages are numbered in the order of
// their commits. stop ends them.
func (b *bundle) write(writers, keys int) (written *atomic.Int64, stop func()) {
	b.Helper()
	pool := b.poolOf(b.pool.Config().ConnString(), int32(writers))
	_, err := pool.Exec(b.Context(), `CREATE TABLE aggregate AS SELECT n AS key, 0 AS version FROM generate_series(0, $1::int - 1) AS n`, keys)
	require.NoError(b, err)
	written = new(atomic.Int64)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for ctx.Err() == nil {
				switch err := change(pool, rand.IntN(keys)); {
				case err == nil:
					written.Add(1)
				case !errors.Is(err, errChangedMind):
					b.Errorf("write: %v", err)
					return
				}
			}
		})
	}
	stop = sync.OnceFunc(func() { cancel(); all.Wait() })
	b.Cleanup(stop)
	return written, stop
}

var errChangedMind = errors.New("rolled back")

// change changes an aggregate and tells of it in one transaction, which is rolled back
// one time in ten.
func change(pool *pgxpool.Pool, key int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `WITH changed AS (
				UPDATE aggregate SET version = version + 1 WHERE key = $1::int RETURNING version)
			INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
			SELECT 'test', 'k' || $1::int, $1::int || ':' || version, '', $2, '{}' FROM changed`, key, queue)
		if err == nil {
			_, err = tx.Exec(ctx, `SELECT pg_sleep($1)`, rand.Float64()/200)
		}
		if err == nil && rand.IntN(10) == 0 {
			return errChangedMind
		}
		return err
	})
}

// inOrder is nil when each key's messages, without repetitions, are all there and in
// order.
func inOrder(firsts []string) error {
	last := map[string]int{}
	for _, name := range firsts {
		var version int
		key, rest, _ := strings.Cut(name, ":")
		if _, err := fmt.Sscan(rest, &version); err != nil {
			return err
		}
		if version != last[key]+1 {
			return fmt.Errorf("key %s: %d came after %d", key, version, last[key])
		}
		last[key] = version
	}
	return nil
}

func TestReshardUnderLoad(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	b.crew("a")
	b.crew("b")
	written, stop := b.write(16, 50)
	more := func() {
		target := len(got.all()) + 500
		b.eventually("messages flow", func() bool { return len(got.all()) > target })
	}
	more()
	for _, shards := range []int{8, 3, 1, 5} {
		b.reshard(shards)
		more()
		b.eventually(fmt.Sprint(shards, " shards are held"), func() bool {
			holders := b.roster().Holders
			return len(holders) == shards && !slices.Contains(holders, "")
		})
		more()
	}
	b.awaitShares("a3 b2")
	stop()
	all := int(written.Load())
	b.eventually("all messages arrive", func() bool { return len(got.firsts()) >= all })
	require.Len(t, got.firsts(), all)
	require.NoError(t, inOrder(got.firsts()))
}
