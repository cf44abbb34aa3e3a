package sagapg_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
)

// extended is the next version of the plan: one more step, side by side with the first.
func extended() saga.Definition {
	def := plan()
	def.Version = 2
	def.Steps = []saga.StepDefinition{command("room-booking"), command("breakfast"), command("payment")}
	def.Steps[0].Group, def.Steps[1].Group = "stay", "stay"
	return def
}

// A saga that is saved on another version follows it from then on, and its history
// says so. The update touches no index.
func TestSavedOnAnotherVersion(t *testing.T) {
	b := setup(t)
	id := b.start("K-1")
	b.follow(extended())
	require.NoError(t, b.tx(func(tx pgx.Tx) error {
		loaded, now, err := b.store.Load(b.ctx, tx, []saga.ID{id})
		require.NoError(t, err)
		moved, err := saga.MigrateTo(loaded[0].Definition, extended(), loaded[0].State, "ada", now)
		require.NoError(t, err)
		require.NoError(t, b.store.Save(b.ctx, tx, []sagapg.Change{{moved}}))
		var hot int
		require.NoError(t, tx.QueryRow(b.ctx, `SELECT n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'saga'`).Scan(&hot))
		require.Equal(t, 1, hot)
		return nil
	}))
	require.Equal(t, 2, b.load(id).DefinitionVersion)
	b.step(id, succeeded("breakfast"), succeeded("room-booking"), succeeded("payment"))
	story, err := b.store.Show(b.ctx, b.db, id, sagapg.MaxEvents)
	require.NoError(t, err)
	require.Equal(t, "[room-booking ✓ breakfast ✓] → payment ✓", story.Steps)
	require.Equal(t, "ada migrated it (from version 1 to version 2) → REQUEST breakfast", story.Timeline[1].Sentence)
}

func TestOnOtherVersion(t *testing.T) {
	b := setup(t)
	first, second, parked := b.start("first"), b.start("second"), b.start("parked")
	b.step(parked, booked(nil), answer("room-booking", saga.Request, saga.OutcomeFailed))
	b.step(b.start("done"), booked(nil), paid())
	b.follow(extended())
	moved := b.start("moved")
	b.follow(journey())
	b.start("other")

	find := func(to, from int, after saga.ID, limit int) []saga.ID {
		ids, err := b.store.OnOtherVersion(b.ctx, b.db, sagapg.OtherVersions{Name: "room-reservation", To: to, From: from}, after, limit)
		require.NoError(t, err)
		return ids
	}
	require.Equal(t, []saga.ID{first, second, parked}, find(2, 0, saga.ID{}, 10))
	require.Equal(t, []saga.ID{first, second}, find(2, 0, saga.ID{}, 2))
	require.Equal(t, []saga.ID{parked}, find(2, 0, second, 2))
	require.Equal(t, []saga.ID{moved}, find(1, 0, saga.ID{}, 10))
	require.Equal(t, []saga.ID{first, second, parked, moved}, find(3, 0, saga.ID{}, 10))
	require.Equal(t, []saga.ID{moved}, find(3, 2, saga.ID{}, 10))
	require.Empty(t, find(2, 3, saga.ID{}, 10))
}

// Neither what is to be moved nor what runs is looked for among what has ended.
func TestRunningOnesAreFoundByTheirIndex(t *testing.T) {
	b := setup(t)
	id := b.start("")
	const columns = `type, definition_version, status, current_step, step_status, waiting, payload, version, wake_at, look_at, started_at, updated_at`
	b.exec(`INSERT INTO saga (id, `+columns+`) SELECT lpad(to_hex(20 * n), 32, '0')::uuid, `+columns+` FROM saga, generate_series(1, 1000) n WHERE id = $1`, uuid.UUID(id))
	b.exec(insertSaga + `SELECT lpad(to_hex(20 * n + 1), 32, '0')::uuid, 'room-reservation', 1, 'COMPLETED', '{}', '{}', 1, now(), now(), now(), NULL
		FROM generate_series(1, 6000) n`)
	b.exec(`ANALYZE saga`)
	for name, args := range map[string][]any{
		"other_version": {"room-reservation", 2, 0, uuid.UUID{}, 1},
		"running":       {10},
	} {
		var plan string
		require.NoError(t, b.db.QueryRow(b.ctx, `EXPLAIN (FORMAT JSON) `+sagasql.Query("", "saga/"+name+".sql"), args...).Scan(&plan), name)
		require.Contains(t, plan, "saga_look", name)
		require.NotContains(t, plan, "Seq Scan", name)
		require.NotContains(t, plan, "saga_pkey", name)
	}
}

// A program that cannot follow what runs says what to do about it.
func TestCheckSaysWhatToDo(t *testing.T) {
	for remedy, damage := range map[string]string{
		"run a program as new as the one that stored it": `UPDATE saga_definition SET spec = jsonb_set(spec, '{steps,0,priority}', '"high"')`,
		"`orchestrator definition apply FILE`":           `DELETE FROM saga_definition`,
	} {
		t.Run(remedy, func(t *testing.T) {
			b := setup(t)
			b.start("K-1")
			b.exec(`ALTER TABLE saga_definition DISABLE TRIGGER USER`)
			b.exec(damage)
			_, unknown, err := sagapg.New("", testenv.Service).CheckDefinitions(b.ctx, b.db)
			require.NoError(t, err)
			require.Len(t, unknown, 1)
			require.ErrorContains(t, unknown[0].Err, fmt.Sprintf("definition %s version 1", plan().Name))
			require.ErrorContains(t, unknown[0].Err, remedy)
		})
	}
}
