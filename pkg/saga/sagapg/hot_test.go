package sagapg_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// Of all updates of a saga only the last touches an index. What is counted is the
// transaction's own: PostgreSQL knows it at once.
func TestUpdatesAreHOT(t *testing.T) {
	b := setup(t)
	def := plan()
	def.Name, def.Steps = "trip", nil
	for _, name := range []string{"hotel", "flight", "car", "payment"} {
		def.Steps = append(def.Steps, command(name))
	}
	b.follow(def)
	id := b.start("K-1")
	for _, e := range []saga.Event{
		succeeded("hotel"),
		succeeded("hotel"),
		succeeded("flight"),
		saga.Timer{},
		succeeded("car"),
		saga.Action{Verb: saga.RetryNow, Who: "op"},
		saga.Action{Verb: saga.Pause, Who: "op"},
	} {
		updates, hot := b.updates(id, e)
		require.Equal(t, 1, updates)
		require.Equal(t, 1, hot, "%T %+v", e, e)
	}
	b.step(id, saga.Action{Verb: saga.Resume, Who: "op"})
	updates, hot := b.updates(id, succeeded("payment"))
	require.Equal(t, 1, updates)
	require.Zero(t, hot, "what has ended leaves the index")
	require.Equal(t, saga.StatusCompleted, b.load(id).Status)
}

// updates applies the event and counts the updates of the table, and those of them
// that wrote to no index.
func (b *bench) updates(id saga.ID, e saga.Event) (all, hot int) {
	b.Helper()
	require.NoError(b, b.tx(func(tx pgx.Tx) error {
		const counted = `SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'saga'`
		var allBefore, hotBefore int
		require.NoError(b, tx.QueryRow(b.ctx, counted).Scan(&allBefore, &hotBefore))
		loaded, now, err := b.store.Load(b.ctx, tx, []saga.ID{id})
		require.NoError(b, err)
		change := sagapg.Change{saga.Step(loaded[0].Definition, loaded[0].State, e, now)}
		require.NoError(b, b.store.Save(b.ctx, tx, []sagapg.Change{change}))
		require.NoError(b, tx.QueryRow(b.ctx, counted).Scan(&all, &hot))
		all, hot = all-allBefore, hot-hotBefore
		return nil
	}))
	return all, hot
}
