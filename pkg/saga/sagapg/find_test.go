package sagapg_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
)

// found are the business keys of the sagas of the selection, the newest first.
func (b *bench) found(which sagapg.Selection) (keys []string) {
	b.Helper()
	if which.Limit == 0 {
		which.Limit = 100
	}
	ids, err := b.store.Find(b.ctx, b.db, which)
	require.NoError(b, err)
	lines, err := b.store.Overviews(b.ctx, b.db, ids)
	require.NoError(b, err)
	require.Len(b, lines, len(ids))
	for _, line := range lines {
		keys = append(keys, *line.BusinessKey)
	}
	return keys
}

// crowd is one saga of each sort, by business key.
func (b *bench) crowd() map[string]saga.ID {
	b.Helper()
	spent := saga.Timer{}
	ids := map[string]saga.ID{}
	for _, key := range []string{"runs", "late", "held", "back", "stands", "done", "undone", "dead"} {
		ids[key] = b.start(key)
	}
	b.step(ids["late"], booked(nil))
	b.overdue(ids["late"])
	b.step(ids["held"], saga.Action{Verb: saga.Pause, Who: "ada"})
	b.step(ids["back"], booked(nil), declined())
	b.step(ids["stands"], booked(nil), declined())
	for range 3 {
		b.overdue(ids["stands"])
		b.step(ids["stands"], spent)
	}
	b.step(ids["done"], booked(nil), paid())
	b.step(ids["undone"], booked(nil), declined(), released())
	b.step(ids["dead"], saga.Action{Verb: saga.Kill, Who: "ada", Reason: "test"})
	b.exec(`UPDATE saga SET started_at = now() - interval '2 hours' WHERE business_key IN ('runs', 'done')`)
	b.follow(journey())
	ids["other"] = b.start("other")
	return ids
}

func TestFindChooses(t *testing.T) {
	b := setup(t)
	ids := b.crowd()
	hourAgo := time.Now().Add(-time.Hour)
	for name, c := range map[string]struct {
		which sagapg.Selection
		want  string
	}{
		"all":           {sagapg.Selection{}, "other dead undone done stands back held late runs"},
		"limit":         {sagapg.Selection{Limit: 2}, "other dead"},
		"below":         {sagapg.Selection{Below: ids["undone"], Limit: 2}, "done stands"},
		"below running": {sagapg.Selection{Below: ids["undone"], Running: true, Limit: 2}, "stands back"},
		"running":       {sagapg.Selection{Running: true}, "other stands back held late runs"},
		"status":        {sagapg.Selection{Statuses: []saga.Status{saga.StatusAborting, saga.StatusParked}}, "stands back"},
		"ended":         {sagapg.Selection{Statuses: []saga.Status{saga.StatusAborted, saga.StatusKilled}}, "dead undone"},
		"some of both":  {sagapg.Selection{Statuses: []saga.Status{saga.StatusAborted, saga.StatusAborting}}, "undone back"},
		"no status":     {sagapg.Selection{Statuses: []saga.Status{}, Limit: 1}, "other"},
		"type":          {sagapg.Selection{Type: "journey"}, "other"},
		"key":           {sagapg.Selection{Type: "room-reservation", BusinessKey: "done"}, "done"},
		"key, ended":    {sagapg.Selection{Type: "room-reservation", BusinessKey: "done", Running: true}, ""},
		"key, other":    {sagapg.Selection{Type: "journey", BusinessKey: "done"}, ""},
		"step":          {sagapg.Selection{Step: "payment"}, "late"},
		"parked step":   {sagapg.Selection{Step: "room-booking"}, "stands back held runs"},
		"side by side":  {sagapg.Selection{Step: "flight"}, "other"},
		"older":         {sagapg.Selection{StartedBefore: hourAgo}, "done runs"},
		"younger":       {sagapg.Selection{StartedAfter: hourAgo, Running: true}, "other stands back held late"},
		"failure":       {sagapg.Selection{Failure: saga.FailureRefused}, "undone stands back"},
		"park reason":   {sagapg.Selection{ParkReason: saga.ParkExhausted}, "stands"},
		"other reason":  {sagapg.Selection{ParkReason: saga.ParkRefused}, ""},
		"stuck":         {sagapg.Selection{Stuck: true}, "stands late"},
		"overdue":       {sagapg.Selection{Overdue: true}, "late"},
		"parked":        {sagapg.Selection{Parked: true}, "stands"},
		"paused":        {sagapg.Selection{Paused: true}, "held"},
		"both":          {sagapg.Selection{Stuck: true, Failure: saga.FailureRefused}, "stands"},
	} {
		require.Equal(t, c.want, strings.Join(b.found(c.which), " "), name)
	}
	require.ElementsMatch(t, stuckByView(b), b.found(sagapg.Selection{Stuck: true}), "as the view has it")
}

func stuckByView(b *bench) []string {
	b.Helper()
	rows, _ := b.db.Query(b.ctx, `SELECT business_key FROM saga_stuck`)
	keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(b, err)
	return keys
}

func TestFindRefusesWhatNobodyCanMean(t *testing.T) {
	b := setup(t)
	for want, which := range map[string]sagapg.Selection{
		"limit is 0":                {},
		"limit is 100001":           {Limit: sagapg.MaxFound + 1},
		"name the type":             {BusinessKey: "K", Limit: 1},
		"status is none of":         {Statuses: []saga.Status{"DONE"}, Limit: 1},
		"class of the failure":      {Failure: "bad luck", Limit: 1},
		"reason of being parked":    {ParkReason: "tired", Limit: 1},
		"one of [COMPLETED PARKED]": {Statuses: []saga.Status{saga.StatusCompleted, saga.StatusParked}, Parked: true, Limit: 1},
	} {
		_, err := b.store.Find(b.ctx, b.db, which)
		require.ErrorIs(t, err, sagapg.ErrSelection, want)
		require.ErrorContains(t, err, want)
	}
}

func TestOverviewsKeepTheOrderAndPassOver(t *testing.T) {
	b := setup(t)
	first, second := b.start("1"), b.start("2")
	lines, err := b.store.Overviews(b.ctx, b.db, []saga.ID{second, saga.ID(uuid.New()), first})
	require.NoError(t, err)
	require.Len(t, lines, 2)
	require.Equal(t, "2", *lines[0].BusinessKey)
	require.Equal(t, "1", *lines[1].BusinessKey)
}

// What has ended is not read on the way to what has not, however much there is, and a
// page of everything is not the whole table.
func TestFindReadsWhatItNeeds(t *testing.T) {
	b := setup(t)
	b.crowd()
	b.exec(`INSERT INTO saga (id, type, definition_version, status, step_status, payload, version, started_at, updated_at, ended_at)
		SELECT gen_random_uuid(), 'room-reservation', 1, 'COMPLETED', '{"payment": "SUCCEEDED"}', '{}', 1, now(), now(), now()
		FROM generate_series(1, 20000)`)
	b.exec(`INSERT INTO saga (id, type, definition_version, status, step_status, payload, version, started_at, updated_at,
			waiting, current_step, wake_at, look_at)
		SELECT gen_random_uuid(), type, definition_version, status, step_status, payload, version, started_at, updated_at,
			waiting, current_step, wake_at, look_at
		FROM saga CROSS JOIN generate_series(1, 500) WHERE business_key = 'runs'`)
	b.exec(`ANALYZE saga`)
	for name, c := range map[string]struct {
		which sagapg.Selection
		index string
	}{
		"running": {sagapg.Selection{Running: true, Limit: 1}, "saga_look"},
		"stuck":   {sagapg.Selection{Stuck: true, Type: "room-reservation", Limit: 50}, "saga_look"},
		"parked":  {sagapg.Selection{Statuses: []saga.Status{saga.StatusParked}, Limit: 1}, "saga_look"},
		"key":     {sagapg.Selection{Type: "room-reservation", BusinessKey: "done", Limit: 1}, "saga_business_key_unique"},
		"all":     {sagapg.Selection{Limit: 50}, "saga_pkey"},
		"ended":   {sagapg.Selection{Statuses: []saga.Status{saga.StatusCompleted}, Limit: 50}, "saga_pkey"},
	} {
		plan := b.explain(c.which)
		require.Contains(t, plan, c.index, name)
		require.NotContains(t, plan, "Seq Scan", name)
		for _, other := range []string{"saga_look", "saga_business_key_unique", "saga_pkey"} {
			require.Equal(t, other == c.index, strings.Contains(plan, other), "%s: %s\n%s", name, other, plan)
		}
	}
	ids, err := b.store.Find(b.ctx, b.db, sagapg.Selection{Limit: 50})
	require.NoError(t, err)
	given := make([]uuid.UUID, len(ids))
	for i, id := range ids {
		given[i] = uuid.UUID(id)
	}
	plan := b.explained(sagasql.Query("", "saga/overviews.sql"), given)
	require.NotContains(t, plan, "Seq Scan on saga ", "one saga after the other")
}

func (b *bench) explain(which sagapg.Selection) string {
	b.Helper()
	return b.explained(sagasql.Query("", "saga/find.sql"), which.Args()...)
}

func (b *bench) explained(query string, args ...any) string {
	b.Helper()
	rows, err := b.db.Query(b.ctx, "EXPLAIN "+query, args...)
	require.NoError(b, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(b, err)
	return strings.Join(lines, "\n")
}
