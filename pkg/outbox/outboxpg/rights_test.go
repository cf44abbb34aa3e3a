package outboxpg

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	sagasql "go.example/saga/sql"
)

// stranger is a log seen by a role that has no right, nor has everybody.
func stranger(t *testing.T) (b *bundle, role string, log *Log) {
	t.Helper()
	b = setup(t)
	b.exec(`REVOKE ALL ON SCHEMA public FROM PUBLIC`)
	b.exec(`REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC`)
	role, pool := testenv.Login(t, b.pool)
	return b, role, New(pool, "")
}

// heal runs the statements for a task.
func (b *bundle) heal(log *Log, task string) (statements []string) {
	b.Helper()
	missing, err := log.MissingRights(b.ctx)
	require.NoError(b, err)
	for _, m := range missing {
		if m.Task == task {
			statements = append(statements, m.Statement)
			b.exec(m.Statement)
		}
	}
	return statements
}

// work does all that a relay does to a log, with large windows and parked messages.
func (b *bundle) work(log *Log) {
	b.Helper()
	b.exec(`INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		SELECT 'test', 'k', 'm', '', 'q', '{}' FROM generate_series(1, 100100)`)
	_, err := log.Enlist(b.ctx, "one", time.Minute)
	require.NoError(b, err)
	tenure, err := log.Acquire(b.ctx, 0, "one", time.Minute)
	require.NoError(b, err)
	page, err := tenure.Read(b.ctx, tenure.Position(), 10)
	require.NoError(b, err)
	require.NotEmpty(b, page.Records)
	parked := Progress{Position: page.After(0), Touched: []string{"k"}, Parked: []Parking{{Record: page.Records[0], State: Retry, Reason: "nacked", Attempts: 1}}}
	_, err = tenure.Save(b.ctx, parked)
	require.NoError(b, err)
	_, err = tenure.Blocked(b.ctx)
	require.NoError(b, err)
	_, _, _, err = tenure.NextDue(b.ctx, nil)
	require.NoError(b, err)
	due, err := tenure.Due(b.ctx, 10, []int64{})
	require.NoError(b, err)
	require.Len(b, due, 1)
	_, err = tenure.PullIn(b.ctx, time.Minute, 10)
	require.NoError(b, err)
	require.NoError(b, tenure.Release(b.ctx, Progress{
		Position: page.After(0), Touched: []string{"k"}, Unparked: page.Records[:1],
		Recovered: []Destination{{Exchange: "", RoutingKey: "q"}},
	}))
	require.NoError(b, log.Complain(b.ctx, 0, "why"))
	require.NoError(b, log.Leave(b.ctx, "one"))
}

// The page docs/roles.md and the relay's own words rest on it: these are enough, and no
// more is asked for.
func TestTheStatementsForMissingRightsAreEnough(t *testing.T) {
	b, role, log := stranger(t)
	_, err := log.Acquire(b.ctx, 0, "one", time.Minute)
	var lacking *RightsError
	require.ErrorAs(t, err, &lacking)
	require.Equal(t, TaskPublish, lacking.Task)
	require.Equal(t, "42501", SQLState(err))
	given := b.heal(log, TaskPublish)
	require.Contains(t, given, "GRANT SELECT, INSERT, UPDATE, DELETE ON public.outbox_parked TO "+role)
	require.Contains(t, given, "GRANT SELECT ON public.outbox TO "+role)
	b.work(log)

	_, err = log.Reshard(b.ctx, 2)
	require.ErrorAs(t, err, &lacking)
	b.heal(log, TaskReshard)
	_, err = log.Reshard(b.ctx, 2)
	require.NoError(t, err)

	_, err = log.PartitionsAhead(b.ctx, 1000, 5)
	require.ErrorAs(t, err, &lacking)
	b.heal(log, TaskUpkeep)
	made, err := log.PartitionsAhead(b.ctx, 1000, 5)
	require.NoError(t, err)
	require.Positive(t, made)
	_, err = log.DropPartition(b.ctx, time.Hour)
	require.NoError(t, err)
	_, err = log.TrimDefault(b.ctx, time.Hour)
	require.NoError(t, err)

	b.exec(`UPDATE public.outbox_position SET settled = '9000000000:9000000000:', window_end = NULL, last_id = NULL`)
	_, err = log.Acquire(b.ctx, 0, "one", time.Minute)
	require.ErrorIs(t, err, ErrForeign)
	b.heal(log, TaskPublish)
	_, err = log.Rebase(b.ctx)
	require.NoError(t, err)
	missing, err := log.MissingRights(b.ctx)
	require.NoError(t, err)
	require.Empty(t, missing)
}

// Members of the owner's role look after the partitions, without owning anything.
func TestUpkeepByAMemberOfTheOwner(t *testing.T) {
	b, role, log := stranger(t)
	owner, _ := testenv.Login(t, b.pool)
	b.exec(`REASSIGN OWNED BY ` + owner + ` TO CURRENT_USER`)
	for _, table := range []string{"outbox", "outbox_default", "outbox_p1", "outbox_p1000001", "outbox_p2000001"} {
		b.exec(`ALTER TABLE public.` + table + ` OWNER TO ` + owner)
	}
	b.heal(log, TaskPublish)
	given := b.heal(log, TaskUpkeep)
	require.Contains(t, given, "GRANT "+owner+" TO "+role)
	made, err := log.PartitionsAhead(b.ctx, 1000, 5)
	require.NoError(t, err)
	require.Positive(t, made)
}

func TestEachMissingRightIsNamed(t *testing.T) {
	b, role, log := stranger(t)
	b.heal(log, TaskPublish)
	for revoke, want := range map[string]string{
		"DELETE ON public.outbox_parked":                   "GRANT DELETE ON public.outbox_parked TO " + role,
		"INSERT ON public.outbox_parked":                   "GRANT INSERT ON public.outbox_parked TO " + role,
		"UPDATE ON public.outbox_position":                 "GRANT UPDATE ON public.outbox_position TO " + role,
		"SELECT ON public.outbox":                          "GRANT SELECT ON public.outbox TO " + role,
		"SELECT ON public.outbox_p1":                       "GRANT SELECT ON public.outbox_p1 TO " + role,
		"DELETE ON public.outbox_member":                   "GRANT DELETE ON public.outbox_member TO " + role,
		"USAGE ON SCHEMA public":                           "GRANT USAGE ON SCHEMA public TO " + role,
		"EXECUTE ON FUNCTION public.outbox_shard":          "GRANT EXECUTE ON FUNCTION public.outbox_shard(aggregate_id text, shards integer) TO " + role,
		"EXECUTE ON FUNCTION public.outbox_parked_promote": "GRANT EXECUTE ON FUNCTION public.outbox_parked_promote(aggregate_ids text[]) TO " + role,
	} {
		b.exec(`REVOKE ` + revoke + ` FROM ` + role)
		_, err := log.Acquire(b.ctx, 0, "one", time.Minute)
		var lacking *RightsError
		require.ErrorAs(t, err, &lacking, revoke)
		require.Equal(t, []string{want}, lacking.Statements)
		require.Equal(t, []string{want}, b.heal(log, TaskPublish))
	}
}

// Rows that a role does not see would be taken for published.
func TestRowSecurityIsAMissingRight(t *testing.T) {
	b, role, log := stranger(t)
	b.heal(log, TaskPublish)
	b.exec(`ALTER TABLE public.outbox ENABLE ROW LEVEL SECURITY`)
	_, err := log.Acquire(b.ctx, 0, "one", time.Minute)
	require.ErrorContains(t, err, "ALTER ROLE "+role+" BYPASSRLS /* row security hides rows of public.outbox */")
	b.heal(log, TaskPublish)
	b.work(log)
}

// A view's tables are read in the name of its owner.
func TestRowSecurityBehindAView(t *testing.T) {
	t.Parallel()
	b := &bundle{T: t, ctx: t.Context(), pool: testenv.Database(t)}
	owner, _ := testenv.Login(t, b.pool)
	b.exec(`CREATE TABLE public.events (id bigint, xact xid8, event_id uuid, aggregate_type text, aggregate_id text, type text,
		exchange text, routing_key text, correlation_id text, reply_to text, content_type text, headers jsonb, payload jsonb,
		payload_bytes bytea, deliver_at timestamptz, created_at timestamptz)`)
	b.exec(`CREATE VIEW public.outbox AS SELECT * FROM public.events`)
	b.exec(`ALTER VIEW public.outbox OWNER TO ` + owner)
	require.NoError(t, sagasql.Up(t.Context(), b.pool.Config().ConnString(), "", sagasql.Relay))
	role, pool := testenv.Login(t, b.pool)
	log := New(pool, "")
	b.exec(`ALTER TABLE public.events ENABLE ROW LEVEL SECURITY`)
	given := b.heal(log, TaskPublish)
	require.Contains(t, given, "GRANT SELECT ON public.events TO "+owner)
	require.Contains(t, given, "ALTER ROLE "+owner+" BYPASSRLS /* row security hides rows of public.events */")
	require.NotContains(t, given, "ALTER ROLE "+role+" BYPASSRLS /* row security hides rows of public.events */")
	_, err := log.Acquire(b.ctx, 0, "one", time.Minute)
	require.NoError(t, err)
}

func TestNewPartitionsMayBeReadByTheReadersOfTheOutbox(t *testing.T) {
	b, role, log := stranger(t)
	b.heal(log, TaskPublish)
	require.Equal(t, 3, b.ahead(1000, 5))
	require.Empty(t, b.heal(log, TaskPublish))
	require.True(t, value[bool](b, `SELECT bool_and(has_table_privilege('`+role+`', partition, 'SELECT')) FROM public.outbox_partitions`))
}

// Where the role may not ask for the cluster, nothing depends on it.
func TestTheClusterIsNotKnown(t *testing.T) {
	b, role, log := stranger(t)
	b.heal(log, TaskPublish)
	b.exec(`REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC`)
	b.exec(`ALTER FUNCTION public.outbox_database() OWNER TO ` + role) // whose owner may not ask either
	b.work(log)
	require.Equal(t, int64(-1), value[int64](b, `SELECT written_in FROM public.outbox_position`))
	tenure, err := log.Acquire(b.ctx, 0, "one", time.Minute)
	require.NoError(t, err, "its own row is no foreigner")
	require.NoError(t, tenure.Release(b.ctx, Progress{Position: tenure.Position()}))

	// As by a dump: the row's number is not that of who wrote it.
	b.exec(`CREATE TABLE dump AS SELECT * FROM public.outbox_position`)
	b.exec(`DELETE FROM public.outbox_position`)
	b.exec(`INSERT INTO public.outbox_position SELECT * FROM dump`)
	_, err = log.Acquire(b.ctx, 0, "one", time.Minute)
	require.ErrorIs(t, err, ErrForeign)
	_, err = log.Rebase(b.ctx)
	require.NoError(t, err)
	_, err = log.Acquire(b.ctx, 0, "one", time.Minute)
	require.NoError(t, err)
}

// with gives a role's sessions a default.
func (b *bundle) with(role, setting string) *Log {
	b.Helper()
	b.exec(`ALTER ROLE ` + role + ` SET ` + setting)
	config := b.pool.Config().Copy()
	config.ConnConfig.User, config.ConnConfig.Password = role, "test"
	pool, err := pgxpool.NewWithConfig(b.ctx, config)
	require.NoError(b, err)
	b.Cleanup(pool.Close)
	return New(pool, "")
}

func TestARolesDefaultIsolationDoesNotCount(t *testing.T) {
	b, role, log := stranger(t)
	b.heal(log, TaskPublish)
	b.heal(log, TaskReshard)
	b.heal(log, TaskUpkeep)
	log = b.with(role, `default_transaction_isolation = 'serializable'`)
	b.work(log)
	_, err := log.DropPartition(b.ctx, time.Hour)
	require.NoError(t, err)
	_, err = log.Reshard(b.ctx, 2)
	require.NoError(t, err)
}

func TestARoleThatOnlyReadsIsTold(t *testing.T) {
	b, role, log := stranger(t)
	b.heal(log, TaskPublish)
	log = b.with(role, `default_transaction_read_only = on`)
	for _, err := range []error{
		func() error { _, err := log.Acquire(b.ctx, 0, "one", time.Minute); return err }(),
		func() error { _, err := log.Enlist(b.ctx, "one", time.Minute); return err }(),
	} {
		require.Equal(t, "25006", SQLState(err))
		require.ErrorContains(t, err, "make it writable")
	}
}

// Whatever writes the position's rows leaves the sign of a dump alone.
func TestARestoredLogStaysForeignUntilItIsMadeWhole(t *testing.T) {
	b := setup(t)
	b.exec(`CREATE TABLE dump AS SELECT * FROM public.outbox_position`)
	b.exec(`UPDATE dump SET written_in = 1, written_by = '3'`)
	b.exec(`DELETE FROM public.outbox_position`)
	b.exec(`INSERT INTO public.outbox_position SELECT * FROM dump`)
	require.NoError(t, b.log.Complain(b.ctx, 0, "why"))
	_, err := b.log.Reshard(b.ctx, 4)
	require.Equal(t, "55000", SQLState(err))
	require.ErrorContains(t, err, "A relay that runs does that")
	_, err = b.log.Acquire(b.ctx, 0, "one", time.Minute)
	require.ErrorIs(t, err, ErrForeign)
	_, err = b.log.Rebase(b.ctx)
	require.NoError(t, err)
	_, err = b.log.Reshard(b.ctx, 4)
	require.NoError(t, err)
}
