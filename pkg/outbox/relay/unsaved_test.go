package relay

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox/outboxpg"
)

func (b *bundle) exec(sql string, args ...any) {
	b.Helper()
	_, err := b.pool.Exec(b.Context(), sql, args...)
	require.NoError(b, err)
}

// schedule appends a message that is due in a moment, named s.
func (b *bundle) schedule() {
	b.Helper()
	b.exec(`INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload, deliver_at)
		VALUES ('test', 'later', 's', '', '` + queue + `', '{}', clock_timestamp() + interval '1 second')`)
}

// asRole is a log seen by a role that may do what it is told it may not.
func (b *bundle) asRole() (role string, log *outboxpg.Log) {
	b.Helper()
	role, pool := testenv.Login(b, b.pool)
	log = outboxpg.New(pool, "")
	missing, err := log.MissingRights(b.Context())
	require.NoError(b, err)
	for _, m := range missing {
		if m.Task == outboxpg.TaskPublish {
			b.exec(m.Statement)
		}
	}
	return role, log
}

// observed is a logger that keeps the states that an engine had.
func (b *bundle) observed() (*zap.Logger, func() []string) {
	core, logs := observer.New(zap.InfoLevel)
	logger := zaptest.NewLogger(b, zaptest.WrapOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core { return zapcore.NewTee(c, core) })))
	return logger, func() (states []string) {
		for _, entry := range logs.All() {
			if state, ok := entry.ContextMap()["state"].(string); ok {
				states = append(states, state)
			}
		}
		return states
	}
}

// Scheduled messages would be published again and again, because nothing could write that
// they were.
func TestAMissingRightIsFoundBeforeAnythingIsSent(t *testing.T) {
	b := setup(t)
	role, log := b.asRole()
	b.exec(`REVOKE DELETE ON public.outbox_parked FROM ` + role)
	got := b.consumeQueue()
	cfg := b.config("one")
	cfg.Log = log
	e := b.start(cfg)
	b.insert(0, 1)
	b.schedule()
	b.awaitState(e, NoRights)
	require.Contains(t, e.Status().LastError, "42501")
	require.Contains(t, e.Status().LastError, "GRANT DELETE ON public.outbox_parked TO "+role)
	b.eventually("it stands in the database", func() bool { return strings.Contains(b.lag().LastError, "GRANT DELETE") })
	require.Empty(t, got.all())
	require.Empty(t, b.lag().Holder, "no shard is held without")
	b.exec(`GRANT DELETE ON public.outbox_parked TO ` + role)
	b.awaitState(e, Active)
	b.awaitSet(got, []string{"m0", "s"})
	b.eventually("the reason is cleared", func() bool { return b.lag().LastError == "" })
	require.Len(t, got.all(), 2)
}

func TestARightThatIsRevokedEndsTheTenureAndRepeatsNothing(t *testing.T) {
	b := setup(t)
	role, log := b.asRole()
	got := b.consumeQueue()
	cfg := b.config("one")
	cfg.Log = log
	cfg.Lease = time.Minute // a right is not waited for until the lease ends
	logger, states := b.observed()
	cfg.Logger = logger
	e := b.start(cfg)
	b.awaitState(e, Active)
	b.schedule()
	b.eventually("parked", func() bool { return b.aside() == 1 })
	b.exec(`REVOKE DELETE ON public.outbox_parked FROM ` + role)
	b.awaitState(e, NoRights)
	b.eventually("it names the statement", func() bool {
		return strings.Contains(e.Status().LastError, "GRANT DELETE ON public.outbox_parked TO "+role)
	})
	b.eventually("the lease is given up, with the reason", func() bool { return b.lag().Holder == "" && strings.Contains(b.lag().LastError, "42501") })
	require.Equal(t, []string{"s"}, got.all())
	b.eventually("it tries again", func() bool { return e.cfg.Faults.Counts()[FaultClass{TaskPublish, "42501"}] > 5 })
	all := slices.Compact(states())
	require.Equal(t, []string{"active", "no-rights"}, all[slices.Index(all, "active"):], "it is not well in between")
	b.exec(`GRANT DELETE ON public.outbox_parked TO ` + role)
	b.awaitState(e, Active)
	b.eventually("written", func() bool { return b.aside() == 0 })
	b.insert(0, 1)
	b.awaitSet(got, []string{"m0", "s"})
	require.Len(t, got.all(), 2, "what could not be written was written, not repeated")
}

// aside is the number of parked messages.
func (b *bundle) aside() (n int) {
	b.Helper()
	require.NoError(b, b.pool.QueryRow(b.Context(), `SELECT count(*) FROM public.outbox_parked`).Scan(&n))
	return n
}

// refuse makes writes of a table fail, as a full disk or somebody's trigger does.
func (b *bundle) refuse(event, table, when string) {
	b.Helper()
	b.exec(`CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$`)
	b.exec(`CREATE TRIGGER refuse BEFORE ` + event + ` ON public.` + table + ` FOR EACH ROW ` + when + ` EXECUTE FUNCTION public.refuse()`)
}

func TestAWriteThatIsRefusedRepeatsNothing(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	cfg := b.config("one")
	cfg.Lease = time.Second
	logger, states := b.observed()
	cfg.Logger = logger
	e := b.start(cfg)
	b.awaitState(e, Active)
	b.refuse("DELETE", "outbox_parked", "")
	b.schedule()
	b.awaitState(e, DatabaseError)
	require.Contains(t, e.Status().LastError, "53100")
	b.eventually("it stands in the database", func() bool { return strings.Contains(b.lag().LastError, "53100") })
	b.eventually("several turns pass", func() bool { return e.cfg.Faults.Counts()[FaultClass{TaskRelease, "53100"}] > 4 })
	all := states() // on a slow machine the database is away for a moment, too
	require.NotContains(t, all[slices.Index(all, "database-error"):], "active", "it is not well in between")
	require.Equal(t, []string{"s"}, got.all())
	b.exec(`DROP TRIGGER refuse ON public.outbox_parked`)
	b.awaitState(e, Active)
	b.eventually("written", func() bool { return b.aside() == 0 })
	b.insert(0, 1)
	b.awaitSet(got, []string{"m0", "s"})
	require.Len(t, got.all(), 2)
	b.eventually("the reason is cleared", func() bool { return b.lag().LastError == "" })
}

// Two relays take turns at failing: neither is content because the other holds the shard.
func TestTwoRelaysThatAreRefusedAreBothInTrouble(t *testing.T) {
	b := setup(t)
	b.consumeQueue()
	b.refuse("DELETE", "outbox_parked", "")
	configs := []Config{b.config("one"), b.config("two")}
	var engines []running
	for i := range configs {
		configs[i].Lease = time.Second
		engines = append(engines, b.start(configs[i]))
	}
	b.eventually("one of them works", func() bool { return engines[0].Status().State == Active || engines[1].Status().State == Active })
	b.schedule()
	inTrouble := func() bool {
		return engines[0].Status().State == DatabaseError && engines[1].Status().State == DatabaseError
	}
	b.eventually("both have failed", inTrouble)
	require.Never(t, func() bool { return !inTrouble() }, 3*time.Second, tick)
	b.exec(`DROP TRIGGER refuse ON public.outbox_parked`)
	b.eventually("written", func() bool { return b.aside() == 0 })
}

// The progress could be lost, and others would wait for the lease to end.
func TestAReleaseThatFailsIsTold(t *testing.T) {
	b := setup(t)
	b.consumeQueue()
	core, logs := observer.New(zap.WarnLevel)
	cfg := b.config("one")
	cfg.Logger = zap.New(core)
	e := b.start(cfg)
	b.awaitState(e, Active)
	b.refuse("UPDATE", "outbox_position", "WHEN (NEW.holder IS NULL)")
	e.stop()
	require.Equal(t, int64(2), e.cfg.Faults.Counts()[FaultClass{TaskRelease, "53100"}])
	require.Equal(t, 1, logs.FilterMessageSnippet("the lease could not be given up").Len())
	b.exec(`DROP TRIGGER refuse ON public.outbox_position`)
}

func TestAnEngineDoesNotWaitForALeaseOfTheFuture(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	_, err := b.log.Acquire(t.Context(), 0, "dead", time.Second)
	require.NoError(t, err)
	b.exec(`UPDATE public.outbox_position SET lease_until = lease_until + interval '1 hour'`)
	e := b.start(b.config("one"))
	b.insert(0, 1)
	b.awaitState(e, Standby)
	b.awaitFirsts(got, names(0, 1))
	require.Equal(t, int64(1), e.Status().VoidLeases)
}

// It would keep its part of the shards from being taken.
func TestACrewDoesNotCountOnAMemberOfTheFuture(t *testing.T) {
	b := setup(t)
	b.reshard(4)
	_, err := b.log.Enlist(t.Context(), "dead", time.Second)
	require.NoError(t, err)
	for _, shard := range []int{0, 1} {
		_, err := b.log.Acquire(t.Context(), shard, "dead", time.Second)
		require.NoError(t, err)
	}
	b.exec(`UPDATE public.outbox_member SET seen_until = seen_until + interval '1 hour'`)
	b.exec(`UPDATE public.outbox_position SET lease_until = lease_until + interval '1 hour' WHERE holder IS NOT NULL`)
	crew := b.crew("alive")
	b.awaitActive(crew, 4)
	require.Positive(t, crew.Status().VoidMembers)
	require.Equal(t, int64(2), crew.Status().VoidLeases)
}

func TestARetryOfTheFutureIsPublished(t *testing.T) {
	b := setup(t)
	b.insert(0, 1)
	first := b.start(b.config("first"))
	b.eventually("refused: there is no queue", func() bool { return b.aside() == 1 })
	first.stop()
	b.exec(`UPDATE public.outbox_parked SET next_at = next_at + interval '1 hour'`)
	got := b.consumeQueue()
	e := b.start(b.config("second"))
	b.awaitFirsts(got, names(0, 1))
	require.Equal(t, int64(1), e.Status().PulledIn)
}

// A look at the roster that fails for good is a trouble though the engines work.
func TestACrewThatCannotSeeTheOthersIsNotWell(t *testing.T) {
	b := setup(t)
	role, log := b.asRole()
	crew := b.crew("one", func(cfg *Config) { cfg.Log = log })
	b.awaitCrew(crew, Active)
	b.exec(`REVOKE SELECT ON public.outbox_member FROM ` + role)
	b.awaitCrew(crew, NoRights)
	require.Contains(t, crew.Status().LastError, "outbox_member")
	require.Equal(t, TaskRoster, crew.cfg.Faults.Failing()[0].Task)
	b.exec(`GRANT SELECT ON public.outbox_member TO ` + role)
	b.awaitCrew(crew, Active)
	require.Empty(t, crew.cfg.Faults.Failing())
}

func TestAnUpkeepThatIsNotTheOwnersNamesWhatHeals(t *testing.T) {
	b := setup(t)
	role, log := b.asRole()
	faults := NewFaults("test", zaptest.NewLogger(t))
	u := Upkeep{Log: log, Name: "test", Logger: zaptest.NewLogger(t), Faults: faults, every: 10 * time.Millisecond}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { u.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	b.eventually("it fails", func() bool { return len(faults.Failing()) == 1 })
	require.ErrorContains(t, faults.Failing()[0].Err, "ALTER TABLE public.outbox OWNER TO "+role)
	missing, err := log.MissingRights(t.Context())
	require.NoError(t, err)
	for _, m := range missing {
		b.exec(m.Statement)
	}
	b.eventually("it works", func() bool { return len(faults.Failing()) == 0 })
}

func TestFaultsAreLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.InfoLevel)
	f, now := NewFaults("shop", zap.New(core)), time.Now()
	f.now = func() time.Time { return now }
	lacking := &outboxpg.RightsError{Task: TaskUpkeep}
	for range 13 {
		f.Report(TaskUpkeep, lacking)
		now = now.Add(10 * time.Second)
	}
	all := logs.TakeAll()
	require.Len(t, all, 3)
	require.Equal(t, int64(6), all[1].ContextMap()["times"])
	require.Equal(t, map[FaultClass]int64{{TaskUpkeep, "42501"}: 13}, f.Counts())
	f.Report(TaskUpkeep, context.DeadlineExceeded)
	require.Equal(t, 1, logs.Len(), "another error is told at once")
	f.Report(TaskUpkeep, nil)
	f.Report(TaskUpkeep, nil)
	require.Equal(t, 2, logs.Len())
	require.Empty(t, f.Failing())
}

func TestPausesOfARefusalGrow(t *testing.T) {
	t.Parallel()
	p := newPauses()
	var last time.Duration
	for range 30 {
		last = p.next(DatabaseError, true)
	}
	require.Greater(t, last, 30*time.Second)
	require.Equal(t, refusedPause, p.next(NoRights, false), "who mends it is not kept waiting")
	require.Less(t, p.next(BrokerDown, false), time.Second)
	p.reset()
	require.Less(t, p.next(DatabaseError, true), time.Second)
}
