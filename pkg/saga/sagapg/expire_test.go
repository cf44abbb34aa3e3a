package sagapg_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// keep is the retention of the tests.
const keep = 24 * time.Hour

// old is the id of a saga that was started some days ago, the n-th of then.
func old(days int, n uint8) uuid.UUID {
	ms := time.Now().Add(-time.Duration(days) * 24 * time.Hour).UnixMilli()
	return uuid.UUID{byte(ms >> 40), byte(ms >> 32), byte(ms >> 24), byte(ms >> 16), byte(ms >> 8), byte(ms), 0x70, 0, 0x80, 15: n}
}

// age makes the saga one that was started long ago, and that ended so many days ago if
// it has ended. Its history comes along.
func (b *bench) age(id saga.ID, as uuid.UUID, ended int) saga.ID {
	b.Helper()
	require.NoError(b, b.tx(func(tx pgx.Tx) error {
		for _, statement := range []string{
			`ALTER TABLE saga_history DISABLE TRIGGER USER`,
			`UPDATE saga SET id = $2, ended_at = ended_at - make_interval(days => $3) WHERE id = $1`,
			`UPDATE saga_history SET saga_id = $2 WHERE saga_id = $1`,
			`ALTER TABLE saga_history ENABLE TRIGGER USER`,
		} {
			args := []any{uuid.UUID(id), as, ended}[:strings.Count(statement, "$")]
			_, err := tx.Exec(b.ctx, statement, args...)
			require.NoError(b, err)
		}
		return nil
	}))
	return saga.ID(as)
}

func (b *bench) expire(after saga.ID, limit int) sagapg.Expired {
	b.Helper()
	expired, err := b.store.Expire(b.ctx, b.db, keep, after, limit)
	require.NoError(b, err)
	return expired
}

func (b *bench) keys() string {
	b.Helper()
	var keys string
	require.NoError(b, b.db.QueryRow(b.ctx, `SELECT coalesce(string_agg(business_key, ' ' ORDER BY id), '') FROM saga`).Scan(&keys))
	return keys
}

// Only what ended long enough ago goes, with its history; the walk passes over the rest.
func TestExpireDeletesWhatIsOldAndOver(t *testing.T) {
	b := setup(t)
	runs, lately, gone, killed, young := b.start("runs"), b.start("lately"), b.start("gone"), b.start("killed"), b.start("young")
	for _, id := range []saga.ID{lately, gone, young} {
		b.step(id, booked(nil), paid())
	}
	b.step(killed, saga.Action{Verb: saga.Kill, Who: "ada", Reason: "test"})
	runs, lately = b.age(runs, old(9, 1), 0), b.age(lately, old(9, 2), 0)
	b.age(gone, old(9, 3), 8)
	b.age(killed, old(3, 4), 2)

	first := b.expire(saga.ID{}, 2)
	require.Equal(t, sagapg.Expired{Last: lately}, first, "what is old and has not ended does not hold up the walk")
	second := b.expire(first.Last, 2)
	require.Equal(t, 2, second.Deleted)
	require.Equal(t, sagapg.Expired{}, b.expire(second.Last, 2), "the end of the walk")
	require.Equal(t, "runs lately young", b.keys())
	require.Equal(t, 3, b.count(`SELECT count(DISTINCT saga_id) FROM saga_history`))
	require.Equal(t, saga.StatusStarted, b.load(runs).Status)
	require.NotEqual(t, uuid.UUID{}, uuid.UUID(b.start("gone")), "its key may be used again")
}

// History goes with its saga, however the saga goes, and so does what was recorded
// while the deletion waited.
func TestHistoryGoesWithItsSaga(t *testing.T) {
	b := setup(t)
	stays, goes := b.start("stays"), b.start("goes")
	b.step(goes, booked(nil), paid())
	deleted := make(chan error, 1)
	require.NoError(t, b.tx(func(tx pgx.Tx) error {
		loaded, now, err := b.store.Load(b.ctx, tx, []saga.ID{goes})
		require.NoError(t, err)
		late := sagapg.Change{saga.Step(loaded[0].Definition, loaded[0].State, paid(), now)}
		require.NoError(t, b.store.Save(b.ctx, tx, []sagapg.Change{late}))
		go func() {
			_, err := b.db.Exec(b.ctx, `DELETE FROM saga WHERE id = $1`, uuid.UUID(goes))
			deleted <- err
		}()
		require.Eventually(t, func() bool {
			return b.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 1
		}, 10*time.Second, time.Millisecond)
		return nil
	}))
	require.NoError(t, <-deleted)
	require.Equal(t, "stays", b.keys())
	require.Zero(t, b.count(`SELECT count(*) FROM saga_history WHERE saga_id = $1`, uuid.UUID(goes)))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga_history WHERE saga_id = $1`, uuid.UUID(stays)))
}

// What another transaction has locked is left for the next walk: nobody waits.
func TestExpirePassesOverTheLocked(t *testing.T) {
	b := setup(t)
	locked, free := b.start("locked"), b.start("free")
	for i, id := range []*saga.ID{&locked, &free} {
		b.step(*id, booked(nil), paid())
		*id = b.age(*id, old(9, uint8(i)), 8)
	}
	require.NoError(t, b.tx(func(tx pgx.Tx) error {
		_, _, err := b.store.Load(b.ctx, tx, []saga.ID{locked})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
		defer cancel()
		expired, err := b.store.Expire(ctx, b.db, keep, saga.ID{}, 10)
		require.NoError(t, err, "it waits")
		require.Equal(t, 1, expired.Deleted)
		return nil
	}))
	require.Equal(t, "locked", b.keys())
	require.Equal(t, 1, b.expire(saga.ID{}, 10).Deleted)
	require.Empty(t, b.keys())
}

// A round with nothing to do reads as much whether there are none or many young ones.
func TestExpireDoesNotReadTheYoung(t *testing.T) {
	b := setup(t)
	// Ids of version 7 of the last hours, as they are drawn.
	b.exec(insertSaga + `SELECT (lpad(to_hex((extract(epoch FROM now() - n * interval '1 second') * 1000)::bigint), 12, '0')
			|| '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
			'room-reservation', 1, 'COMPLETED', '{}', '{}', 1, now(), now(), now() - n * interval '1 second', NULL
		FROM generate_series(1, 20000) AS n`)
	for _, known := range []string{"before ANALYZE", "after ANALYZE"} {
		require.NoError(t, b.tx(func(tx pgx.Tx) error {
			before := pagesRead(b, tx)
			expired, err := b.store.Expire(b.ctx, tx, keep, saga.ID{}, 500)
			require.NoError(t, err)
			require.Equal(t, sagapg.Expired{}, expired)
			read := pagesRead(b, tx) - before
			require.Positive(t, read)
			require.Less(t, read, 20, known)
			return nil
		}))
		b.exec(`ANALYZE saga`)
	}
	require.Equal(t, 20000, b.count(`SELECT count(*) FROM saga`))
	require.Greater(t, b.count(`SELECT relpages FROM pg_class WHERE relname = 'saga'`), 500, "so many it could have read")
}

// pagesRead is how many pages of the sagas, their history and the indexes of both this
// transaction has looked at.
func pagesRead(b *bench, tx pgx.Tx) (pages int) {
	b.Helper()
	require.NoError(b, tx.QueryRow(b.ctx, `SELECT sum(pg_stat_get_xact_blocks_fetched(oid)) FROM pg_class
		WHERE oid IN (SELECT unnest(ARRAY['saga'::regclass, 'saga_history'::regclass]::oid[])
			UNION SELECT indexrelid FROM pg_index WHERE indrelid IN ('saga'::regclass, 'saga_history'::regclass))`).Scan(&pages))
	return pages
}
