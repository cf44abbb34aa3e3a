package outboxpg

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSightings(t *testing.T) {
	t.Parallel()
	var s sightings
	lease, start := row{name: "0"}, time.Now()
	at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
	require.False(t, s.saw(lease, "1 100", 5*time.Second, at(0)))
	require.False(t, s.saw(lease, "1 100", 5*time.Second, at(5)), "its own length is honoured")
	require.Empty(t, s.lease("0", at(5)))
	require.True(t, s.saw(lease, "1 100", 5*time.Second, at(6)))
	require.Equal(t, "1 100", s.lease("0", at(6)))
	require.False(t, s.saw(lease, "1 103", 5*time.Second, at(7)), "it was renewed")
	require.Empty(t, s.lease("0", at(7)))
	require.Empty(t, s.lease("1", at(7)))

	require.False(t, s.saw(row{true, "a"}, "9", time.Second, at(7)))
	holders, ends := s.members(at(9))
	require.Equal(t, []string{"a"}, holders)
	require.Equal(t, []string{"9"}, ends)
	s.saw(row{true, "b"}, "9", time.Second, at(3600))
	require.Len(t, s.seen, 1, "what is not there any more is forgotten")
}

// The clock was set back an hour, and the holder is dead.
func TestALeaseOfTheFutureIsVoid(t *testing.T) {
	for name, until := range map[string]string{"an hour": `lease_until + interval '1 hour'`, "for ever": `'infinity'`} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			dead, err := b.log.Acquire(b.ctx, 0, "dead", time.Second)
			require.NoError(t, err)
			require.Equal(t, "dead", b.lag().Holder)
			b.exec(`UPDATE public.outbox_position SET lease_until = ` + until)
			lag := b.lag()
			require.Empty(t, lag.Holder, "it is not shown as a holder")
			require.Equal(t, "dead", lag.VoidHolder)

			first := time.Now()
			var next *Tenure
			require.Eventually(t, func() bool {
				next, err = b.log.Acquire(b.ctx, 0, "next", time.Second)
				var held *HeldError
				require.True(t, err == nil || errors.As(err, &held), "%v", err)
				return err == nil
			}, 10*time.Second, 20*time.Millisecond)
			require.GreaterOrEqual(t, time.Since(first), time.Second, "its own length is honoured")
			require.True(t, next.Void())
			b.isLost(dead, Progress{Position: dead.Position()})
			require.Equal(t, "next", b.lag().Holder)
		})
	}
}

// A lease that is taken when it is free is not void, whatever was seen of its former holder.
func TestALeaseThatWasGivenUpIsNotVoid(t *testing.T) {
	b := setup(t)
	holder, err := b.log.Acquire(b.ctx, 0, "holder", time.Second)
	require.NoError(t, err)
	_, err = b.log.Acquire(b.ctx, 0, "next", time.Second)
	var held *HeldError
	require.ErrorAs(t, err, &held)
	seen := time.Now()
	require.Eventually(t, func() bool { return b.log.sightings.lease("0", time.Now()) != "" }, 10*time.Second, 20*time.Millisecond)
	require.GreaterOrEqual(t, time.Since(seen), time.Second)
	require.NoError(t, holder.Release(b.ctx, Progress{Position: holder.Position()}))
	for range 2 {
		next, err := b.log.Acquire(b.ctx, 0, "next", time.Second)
		require.NoError(t, err)
		require.False(t, next.Void())
	}
}

// A holder that lives renews, by the clock as it is.
func TestALeaseThatIsRenewedIsNotVoid(t *testing.T) {
	b := setup(t)
	holder, err := b.log.Acquire(b.ctx, 0, "holder", time.Second)
	require.NoError(t, err)
	for start := time.Now(); time.Since(start) < 2*time.Second; {
		b.exec(`UPDATE public.outbox_position SET lease_until = lease_until + interval '1 hour'`)
		_, err := b.log.Acquire(b.ctx, 0, "next", time.Second)
		var held *HeldError
		require.ErrorAs(t, err, &held)
		b.save(holder, Progress{Position: holder.Position()})
	}
}

func TestAMemberOfTheFutureIsVoid(t *testing.T) {
	b := setup(t)
	_, err := b.log.Enlist(b.ctx, "dead", time.Second)
	require.NoError(t, err)
	_, err = b.log.Acquire(b.ctx, 0, "dead", time.Second)
	require.NoError(t, err)
	b.exec(`UPDATE public.outbox_member SET seen_until = seen_until + interval '1 hour'`)
	b.exec(`UPDATE public.outbox_position SET lease_until = lease_until + interval '1 hour'`)
	require.Equal(t, Roster{Members: []string{"dead"}, Holders: []string{"dead"}}, b.roster())
	require.Eventually(t, func() bool { return len(b.roster().Members) == 0 }, 10*time.Second, 20*time.Millisecond)
	require.Equal(t, Roster{Members: []string{}, Holders: []string{""}, Void: []string{"dead"}}, b.roster())
	roster, err := b.log.Enlist(b.ctx, "alive", time.Minute)
	require.NoError(t, err)
	require.Equal(t, []string{"alive"}, roster.Members)
	require.Equal(t, int64(1), value[int64](b, `SELECT count(*) FROM public.outbox_member`), "it is cleared away")
}

func TestARetryOfTheFutureIsDue(t *testing.T) {
	b := setup(t)
	for _, name := range numbered("m", 4) {
		b.insert(b.pool, name, name)
	}
	b.exec(`INSERT INTO public.outbox_parked (id, aggregate_id, exchange, routing_key, state, next_at)
		SELECT id, aggregate_id, '', 'queue', CASE WHEN type = 'm3' THEN 'scheduled' ELSE 'retry' END,
		       CASE type WHEN 'm0' THEN now() + interval '1 hour' WHEN 'm1' THEN 'infinity' WHEN 'm2' THEN now() + interval '50 s'
		                 ELSE now() + interval '1 hour' END
		FROM public.outbox`)
	tenure := b.acquire("one")
	n, err := tenure.PullIn(b.ctx, time.Minute, 10)
	require.NoError(t, err)
	require.Equal(t, int64(2), n)
	due, err := tenure.Due(b.ctx, 10, []int64{})
	require.NoError(t, err)
	require.Len(t, due, 2, "a pause that can be, and a message that is scheduled, are waited for")
	n, err = tenure.PullIn(b.ctx, time.Minute, 10)
	require.NoError(t, err)
	require.Zero(t, n)
}

// Nothing that can stand in a row makes the views fail.
func TestTheViewsSurviveAnyRow(t *testing.T) {
	b := setup(t)
	b.exec(`ALTER TABLE public.outbox DISABLE TRIGGER ALL`)
	for _, at := range []string{"infinity", "-infinity", "294276-12-31", "4714-11-24 BC"} {
		b.exec(`INSERT INTO public.outbox (xact, aggregate_type, aggregate_id, type, exchange, routing_key, payload, created_at)
			VALUES (pg_current_xact_id(), 'test', 'k', 'm', '', 'q', '{}', '` + at + `')`)
	}
	b.exec(`INSERT INTO public.outbox_parked (id, aggregate_id, exchange, routing_key, state, next_at, parked_at)
		SELECT min(id), 'k', '', 'q', 'scheduled', timestamptz 'infinity', timestamptz 'infinity' FROM public.outbox`)
	for _, end := range []string{"infinity", "-infinity", "294276-12-31", "4714-11-24 BC"} {
		b.exec(`UPDATE public.outbox_position SET holder = 'x', lease_for = '1 s', updated_at = '` + end + `', lease_until = '` + end + `'`)
		require.Equal(t, int64(4), b.lag().Pending)
		require.Equal(t, int64(4), value[int64](b, `SELECT count(*) FROM (SELECT v::text FROM public.outbox_overview AS v) AS t`))
		_, err := b.log.CountParked(b.ctx, ParkedFilter{})
		require.NoError(t, err)
		require.NotEmpty(t, b.roster().Holders)
	}
}
