package sagapg_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
)

func TestApplyDefinition(t *testing.T) {
	b := setup(t)
	stored, err := b.store.ApplyDefinition(b.ctx, b.db, plan())
	require.NoError(t, err)
	require.False(t, stored, "the same again changes nothing")

	changed := plan()
	changed.Steps[0].Request.Retry.Attempts++
	for _, store := range []*sagapg.Store{b.store, sagapg.New("", testenv.Service)} {
		_, err = store.ApplyDefinition(b.ctx, b.db, changed)
		require.ErrorIs(t, err, sagapg.ErrDefinitionDiffers)
		require.ErrorContains(t, err, "raise the version to 2")
	}
	changed.Version = 2
	stored, err = b.store.ApplyDefinition(b.ctx, b.db, changed)
	require.NoError(t, err)
	require.True(t, stored)

	invalid := plan()
	invalid.Steps = nil
	var wrong *saga.DefinitionError
	_, err = b.store.ApplyDefinition(b.ctx, b.db, invalid)
	require.ErrorAs(t, err, &wrong)
}

func TestConcurrentApply(t *testing.T) {
	b := setup(t)
	def := plan()
	def.Version = 2
	var wg sync.WaitGroup
	var stored [4]bool
	for i := range stored {
		wg.Go(func() {
			var err error
			stored[i], err = sagapg.New("", testenv.Service).ApplyDefinition(b.ctx, b.db, def)
			require.NoError(t, err)
		})
	}
	wg.Wait()
	won := 0
	for _, s := range stored {
		if s {
			won++
		}
	}
	require.Equal(t, 1, won)
}

func TestDefinitionComesBackAsItWas(t *testing.T) {
	b := setup(t)
	second := plan()
	second.Version = 2
	second.Steps = second.Steps[:1]
	_, err := b.store.ApplyDefinition(b.ctx, b.db, second)
	require.NoError(t, err)

	fresh := sagapg.New("", testenv.Service)
	for range 2 { // from the database, and from the cache
		first, err := fresh.Definition(b.ctx, b.db, "room-reservation", 1)
		require.NoError(t, err)
		require.Equal(t, plan(), first)
	}
	latest, err := fresh.LatestDefinition(b.ctx, b.db, "room-reservation")
	require.NoError(t, err)
	require.Equal(t, second, latest)

	for _, version := range []int{-1, 0, 3} {
		_, err = fresh.Definition(b.ctx, b.db, "room-reservation", version)
		require.ErrorIs(t, err, sagapg.ErrNoDefinition)
	}
	_, err = fresh.LatestDefinition(b.ctx, b.db, "other")
	require.ErrorIs(t, err, sagapg.ErrNoDefinition)

	for _, def := range []saga.Definition{journey(), tried()} {
		_, err = b.store.ApplyDefinition(b.ctx, b.db, def)
		require.NoError(t, err)
		back, err := fresh.Definition(b.ctx, b.db, def.Name, 1)
		require.NoError(t, err)
		require.Equal(t, def, back)
	}

	b.start("K-1")
	list, err := fresh.ListDefinitions(b.ctx, b.db)
	require.NoError(t, err)
	require.Len(t, list, 4)
	rooms := list[slices.IndexFunc(list, func(d sagapg.DefinitionInfo) bool { return d.Name == "room-reservation" }):]
	require.Equal(t, 2, rooms[0].Steps)
	require.EqualValues(t, 1, rooms[0].Running)
	require.EqualValues(t, 0, rooms[1].Running)
}

// A plan that this program does not fully understand is not followed.
func TestStrangePlanIsNotFollowed(t *testing.T) {
	for name, edit := range map[string]string{
		"a field of a newer program": `jsonb_set(spec, '{steps,0,priority}', '"high"')`,
		"changed by hand":            `jsonb_set(spec, '{steps,0,destination}', '"elsewhere"')`,
		"not a duration":             `jsonb_set(spec, '{steps,0,request,timeout}', '"soon"')`,
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.start("K-1")
			defs, unknown, err := sagapg.New("", testenv.Service).CheckDefinitions(b.ctx, b.db)
			require.NoError(t, err)
			require.Empty(t, unknown)
			require.Equal(t, []saga.Definition{plan()}, defs)

			b.exec(`ALTER TABLE saga_definition DISABLE TRIGGER USER`)
			b.exec(`UPDATE saga_definition SET spec = ` + edit)
			defs, unknown, err = sagapg.New("", testenv.Service).CheckDefinitions(b.ctx, b.db)
			require.NoError(t, err)
			require.Empty(t, defs)
			require.Len(t, unknown, 1)
			require.EqualValues(t, 1, unknown[0].Sagas)
			require.ErrorIs(t, unknown[0].Err, sagapg.ErrNotUnderstood)
			require.Contains(t, unknown[0].String(), "room-reservation version 1")
		})
	}
}

func TestAnotherSchema(t *testing.T) {
	t.Parallel()
	b := &bench{T: t, ctx: t.Context(), def: plan(), db: testenv.Database(t), store: sagapg.New("sagas", testenv.Service)}
	require.NoError(t, sagasql.Up(b.ctx, b.db.Config().ConnString(), "sagas", sagasql.Outbox, sagasql.Saga))
	_, err := sagasql.NameService(b.ctx, b.db, "sagas", testenv.Service)
	require.NoError(t, err)
	_, err = b.store.ApplyDefinition(b.ctx, b.db, b.def)
	require.NoError(t, err)
	id := b.start("K-1")
	b.step(id, booked(nil), declined(), released())
	require.Equal(t, saga.StatusAborted, b.load(id).Status)
	require.Equal(t, 4, b.count(`SELECT count(*) FROM sagas.outbox`))
	story, err := b.store.Show(b.ctx, b.db, id, sagapg.MaxEvents)
	require.NoError(t, err)
	require.Len(t, story.Timeline, 4)
}
