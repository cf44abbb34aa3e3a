package sagasql_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	sagasql "go.example/saga/sql"
)

// What a role lacks is told as statements, and once these have run it lacks nothing.
func TestCheckRightsTellsTheCure(t *testing.T) {
	t.Parallel()
	owner := testenv.Database(t, sagasql.Inbox, sagasql.Participant)
	needed := []sagasql.Right{
		{On: "saga_barrier", Privileges: "SELECT, INSERT, UPDATE"},
		{On: "saga_barrier_enter", Privileges: "EXECUTE"},
		{On: "inbox_quarantine", Privileges: "SELECT, INSERT"},
		{On: "no_such_table", Privileges: "SELECT"},
	}
	require.NoError(t, sagasql.CheckRights(t.Context(), owner, "", needed...))

	role := testenv.Role(t, owner, `REVOKE USAGE ON SCHEMA public FROM PUBLIC`,
		`REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC`, `GRANT INSERT ON saga_barrier TO {role}`,
		`ALTER TABLE saga_barrier ENABLE ROW LEVEL SECURITY`, `ALTER TABLE inbox_quarantine ENABLE ROW LEVEL SECURITY`)
	err := sagasql.CheckRights(t.Context(), role, "", needed...)
	var missing *sagasql.RightsError
	require.ErrorAs(t, err, &missing)
	require.Equal(t, "42501", missing.SQLState())
	name := role.Config().ConnConfig.User
	require.Equal(t, []string{
		"GRANT USAGE ON SCHEMA public TO " + name,
		"GRANT SELECT, UPDATE ON public.saga_barrier TO " + name,
		"GRANT EXECUTE ON FUNCTION public.saga_barrier_enter(the_saga uuid, the_step text, the_op text) TO " + name,
		"ALTER ROLE " + name + " BYPASSRLS",
		"GRANT INSERT, SELECT ON public.inbox_quarantine TO " + name,
	}, missing.Cure)
	for _, statement := range missing.Cure {
		_, err := owner.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	require.NoError(t, sagasql.CheckRights(t.Context(), role, "", needed...))
}

// Also its owner does not see all rows of a table where that is FORCEd.
func TestCheckRightsOfAnOwner(t *testing.T) {
	t.Parallel()
	super := testenv.Database(t, sagasql.Inbox)
	owner := testenv.Role(t, super, `GRANT CREATE, USAGE ON SCHEMA public TO {role}`, `ALTER TABLE inbox_quarantine OWNER TO {role}`,
		`ALTER TABLE inbox_quarantine ENABLE ROW LEVEL SECURITY`)
	needed := sagasql.Right{On: "inbox_quarantine", Privileges: "SELECT"}
	require.NoError(t, sagasql.CheckRights(t.Context(), owner, "", needed))
	_, err := super.Exec(t.Context(), `ALTER TABLE inbox_quarantine FORCE ROW LEVEL SECURITY`)
	require.NoError(t, err)
	err = sagasql.CheckRights(t.Context(), owner, "", needed)
	require.ErrorContains(t, err, "ALTER TABLE public.inbox_quarantine NO FORCE ROW LEVEL SECURITY")
}
