package orchestrator

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// expiry deletes what ended more than an hour ago, in small rounds and in a hurry.
func (b *bench) expiry() (*Expiry, *observer.ObservedLogs) {
	core, said := observer.New(zapcore.DebugLevel)
	return &Expiry{
		DB: b.db, Store: b.store, Retention: time.Hour, Log: zap.New(core),
		batch: 10, pause: time.Millisecond, rest: 20 * time.Millisecond,
	}, said
}

// finished makes sagas that ended so many hours ago, one a second, with a history of
// two rows each.
func (b *bench) finished(sagas, hours int) {
	b.exec(`WITH old AS (
			INSERT INTO saga (id, type, definition_version, status, step_status, payload, version, started_at, updated_at, ended_at)
			SELECT (lpad(to_hex((extract(epoch FROM ended) * 1000)::bigint), 12, '0') || '7' || substr(md5(random()::text), 1, 3)
				|| '8' || substr(md5(random()::text), 1, 15))::uuid, 'trip', 1, 'COMPLETED', '{}', '{}', 2, ended, ended, ended
			FROM (SELECT now() - make_interval(hours => $2, secs => n) AS ended FROM generate_series(1, $1) AS n) AS past
			RETURNING id)
		INSERT INTO saga_history (saga_id, seq, at, kind, disposition, from_status, to_status, detail)
		SELECT id, 1, now(), 'start', 'advanced', NULL, 'STARTED', '' FROM old
		UNION ALL SELECT id, 2, now(), 'reply', 'advanced', 'STARTED', 'COMPLETED', '' FROM old`, sagas, hours)
}

// tend runs the expiries until the returned function is called.
func (b *bench) tend(all ...*Expiry) (stop func()) {
	ctx, cancel := context.WithCancel(b.ctx)
	ended := make(chan error, len(all))
	for _, x := range all {
		go func() { ended <- x.Run(ctx) }()
	}
	return func() {
		cancel()
		for range all {
			require.NoError(b, <-ended)
		}
	}
}

func (b *bench) left() int { return b.count(`SELECT count(*) FROM saga`) }

// Several at once delete each saga once and count it; the young and the running stay,
// and what grows old later goes too. What is old and ended lately holds up nobody.
func TestExpiriesShareTheWork(t *testing.T) {
	b := setup(t)
	const lately = 25 // more than a round looks at
	b.finished(lately, 3)
	b.exec(`UPDATE saga SET ended_at = now()`)
	b.finished(205, 2)
	b.finished(5, 0)
	b.start(1)
	first, said := b.expiry()
	second, _ := b.expiry()
	defer b.tend(first, second)()
	require.Eventually(t, func() bool { return b.left() == lately+6 }, soon, tick)
	require.Eventually(t, func() bool { return first.Deleted()+second.Deleted() == 205 }, soon, tick)
	require.Equal(t, 2*lately+11, b.count(`SELECT count(*) FROM saga_history`))
	b.finished(3, 2)
	require.Eventually(t, func() bool { return b.left() == lately+6 && first.Deleted()+second.Deleted() == 208 }, soon, tick)
	for _, line := range said.All() {
		require.Equal(t, zapcore.DebugLevel, line.Level)
	}
}

// Without a retention sagas are kept for ever.
func TestNoRetention(t *testing.T) {
	b := setup(t)
	b.finished(3, 10_000)
	x, _ := b.expiry()
	x.Retention = 0
	ctx, cancel := context.WithTimeout(b.ctx, 10*x.rest)
	defer cancel()
	require.NoError(t, x.Run(ctx))
	require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded, "it waits for the end")
	require.Equal(t, 3, b.left())
}

// What is in the way is told once, and that it is gone; nothing of it ends the loop.
func TestExpirySaysWhatIsInTheWay(t *testing.T) {
	b := setup(t)
	b.finished(25, 2)
	b.exec(`CREATE SEQUENCE tries;
		CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('tries'); RAISE EXCEPTION 'planted'; END $$;
		CREATE TRIGGER trap BEFORE DELETE ON saga FOR EACH ROW EXECUTE FUNCTION trap()`)
	x, said := b.expiry()
	defer b.tend(x)()
	warned := func() int { return said.FilterLevelExact(zapcore.WarnLevel).Len() }
	require.Eventually(t, func() bool { return b.count(`SELECT last_value FROM tries`) > 3 }, soon, tick)
	require.Equal(t, 25, b.left())
	b.exec(`DROP TRIGGER trap ON saga`)
	require.Eventually(t, func() bool { return b.left() == 0 }, soon, tick)
	require.Eventually(t, func() bool { return said.FilterMessage("finished sagas are deleted again").Len() == 1 }, soon, tick)
	require.Equal(t, 1, warned())
}
