package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/orchestratorcmd"
	"go.example/saga/internal/cli/relaycmd"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/outbox/outboxpg"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	"go.example/saga/pkg/saga/sagayaml"
	"go.example/saga/pkg/saga/watcher"
	sagasql "go.example/saga/sql"
)

// guarded is a database with all that a role of docs/roles.md may work on.
type guarded struct {
	*testing.T
	roles *testenv.Roles
	db    *pgxpool.Pool // with all rights
}

func guard(t *testing.T) *guarded {
	t.Helper()
	t.Parallel()
	testenv.Connections(t, 20)
	g := &guarded{T: t, roles: testenv.DocumentedRoles(t)}
	g.db = testenv.Database(t)
	g.roles.Migrate(t, g.db, sagasql.Outbox, sagasql.Saga, sagasql.Inbox, sagasql.Participant)
	return g
}

func (g *guarded) exec(statement string) {
	g.Helper()
	_, err := g.db.Exec(g.Context(), g.roles.Named(statement))
	require.NoError(g, err, statement)
}

// guardedRole is a role of the page, and how its program finds out what it lacks.
type guardedRole struct {
	name, section string
	lacks         lacking
}

// lacking are the statements that give what a role lacks.
type lacking func(context.Context, *pgxpool.Pool) ([]string, error)

func checked(rights ...sagasql.Right) lacking {
	return func(ctx context.Context, as *pgxpool.Pool) ([]string, error) {
		err := sagasql.CheckRights(ctx, as, "", rights...)
		if missing := new(sagasql.RightsError); errors.As(err, &missing) {
			return missing.Cure, nil
		}
		return nil, err
	}
}

func relayLacks(ctx context.Context, as *pgxpool.Pool) (statements []string, err error) {
	missing, err := outboxpg.New(as, "").MissingRights(ctx)
	for _, m := range missing {
		if m.Task == outboxpg.TaskPublish {
			statements = append(statements, m.Statement)
		}
	}
	return statements, err
}

var guardedRoles = []guardedRole{
	{"saga_relay", "The relay", relayLacks},
	{"saga_orchestrator", "The orchestrator", checked(slices.Concat(sagapg.RightsToDrive, inbox.Rights)...)},
	{"saga_starter", "A service that starts sagas", checked(sagapg.RightsToStart...)},
	{"saga_participant", "A participant", checked(slices.Concat(participant.Rights, inbox.Rights)...)},
	{"saga_listener", "A listener", checked(inbox.Rights...)},
}

// The documented rights are enough for the program's own proof, and it names each of them
// that is taken away alone, so that none is too much.
func TestEachDocumentedRightIsNeeded(t *testing.T) {
	g := guard(t)
	for _, role := range guardedRoles {
		g.roles.Run(t, g.db, role.section)
		as, name := g.roles.Pool(t, g.db, role.name), g.roles.Named(role.name)
		lacks := func() []string {
			t.Helper()
			statements, err := role.lacks(t.Context(), as)
			require.NoError(t, err)
			return statements
		}
		require.Empty(t, lacks(), role.name)
		rows, err := g.db.Query(t.Context(), `
			SELECT a.privilege_type || ' ON ' || c.oid::regclass
			FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS a
			WHERE c.relnamespace = 'public'::regnamespace AND a.grantee = $1::regrole
			UNION ALL SELECT 'USAGE ON SCHEMA public'`, name)
		require.NoError(t, err)
		rights, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.Greater(t, len(rights), 3)
		for _, right := range rights {
			g.exec("REVOKE " + right + " FROM " + name)
			told := lacks()
			require.Len(t, told, 1, "%s without %s", role.name, right)
			g.exec(told[0])
			require.Empty(t, lacks(), "%s after %s", role.name, told[0])
		}
	}
}

// Where not everybody may call functions, the programs name all that they call.
func TestFunctionsThatNotEverybodyMayCall(t *testing.T) {
	g := guard(t)
	def, err := sagayaml.Parse([]byte(hasty))
	require.NoError(t, err)
	store := sagapg.New("", testenv.Service)
	_, err = store.ApplyDefinition(t.Context(), g.db, def)
	require.NoError(t, err)
	g.exec(`REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC`)
	pools := map[string]*pgxpool.Pool{}
	for _, role := range guardedRoles {
		g.roles.Run(t, g.db, role.section)
		pools[role.name] = g.roles.Pool(t, g.db, role.name)
		told, err := role.lacks(t.Context(), pools[role.name])
		require.NoError(t, err)
		for _, statement := range told {
			require.Contains(t, statement, "GRANT EXECUTE ON FUNCTION")
			g.exec(statement)
		}
	}
	tx, err := pools["saga_starter"].Begin(t.Context())
	require.NoError(t, err)
	_, _, err = store.Start(t.Context(), tx, def, sagapg.StartRequest{})
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))

	const appends = `INSERT INTO outbox (aggregate_type, aggregate_id, type, exchange, routing_key, headers, payload)
		VALUES ('t', 'k', 'm', '', 'q', '{"é": "x"}', '{}')`
	for _, role := range []string{"saga_orchestrator", "saga_participant"} {
		_, err = pools[role].Exec(t.Context(), appends)
		require.NoError(t, err, role)
	}
	_, err = pools["saga_participant"].Exec(t.Context(), sagasql.Query("", "participant/enter.sql"),
		[]string{"0198a3f0-0000-7000-8000-000000000001"}, []string{"hotel"}, []string{"CANCEL"})
	require.NoError(t, err)

	log := outboxpg.New(pools["saga_relay"], "")
	tenure, err := log.Acquire(t.Context(), 0, "one", time.Minute)
	if errors.Is(err, outboxpg.ErrForeign) { // a new log enters service
		_, err = log.Rebase(t.Context())
		require.NoError(t, err)
		tenure, err = log.Acquire(t.Context(), 0, "one", time.Minute)
	}
	require.NoError(t, err)
	page, err := tenure.Read(t.Context(), tenure.Position(), 10)
	require.NoError(t, err)
	require.Len(t, page.Records, 3)
}

// optional is something that the page has further rights for.
type optional struct {
	only string
	do   func(as *pgxpool.Pool) error
}

// Each further right of the page is enough for what it is said to be for. Without it that
// is refused: with error 42501, or by a command that does not exit with 0.
func TestRightsForOneThing(t *testing.T) {
	g := guard(t)
	def, err := sagayaml.Parse([]byte(hasty))
	require.NoError(t, err)
	store := sagapg.New("", testenv.Service)
	for _, role := range guardedRoles[:2] {
		g.roles.Run(t, g.db, role.section)
	}
	_, err = outboxpg.New(g.roles.Pool(t, g.db, "saga_relay"), "").Rebase(t.Context()) // into service
	require.NoError(t, err)

	for _, words := range []string{"parked list", "parked retry --all --yes", "parked discard --all --note over --yes"} {
		require.NoError(t, g.command(relaycmd.New(), "database_urls", g.roles.Pool(t, g.db, "saga_relay"), strings.Fields(words)...))
	}
	for _, role := range []string{"saga_orchestrator", "saga_participant", "saga_listener"} {
		g.roles.Run(t, g.db, map[string]string{
			"saga_orchestrator": "The orchestrator", "saga_participant": "A participant", "saga_listener": "A listener",
		}[role])
		g.exec(`INSERT INTO inbox_quarantine (consumer, queue, code, reason, exchange, routing_key, properties, headers, body, message_sha256)
			VALUES ('c', 'q', 'other', 'r', '', '', '{}', '{}', '', '')`)
		for _, words := range []string{"list", "groups", "discard --all --note over --yes"} {
			require.NoError(t, g.command(orchestratorcmd.New(), "database_url", g.roles.Pool(t, g.db, role),
				append([]string{"quarantine"}, strings.Fields(words)...)...), role)
		}
	}
	g.optional("saga_relay", "The relay", []optional{
		{"RELAY_SHARDS", func(as *pgxpool.Pool) error { _, err := outboxpg.New(as, "").Reshard(t.Context(), 2); return err }},
		{"relay status", func(as *pgxpool.Pool) error { _, err := outboxpg.New(as, "").Lag(t.Context()); return err }},
		{"relay replay", func(as *pgxpool.Pool) error {
			return g.command(relaycmd.New(), "database_urls", as, "replay", "--from", "1")
		}},
		{"upkeep", func(as *pgxpool.Pool) error {
			_, err := outboxpg.New(as, "").PartitionsAhead(t.Context(), 1000, 5)
			return err
		}},
	})
	g.roles.Run(t, g.roles.Pool(t, g.db, "saga_owner"), "Upkeep")
	g.optional("saga_listener", "A listener", []optional{{"inbox.Once", func(as *pgxpool.Pool) error {
		return checked(inbox.RightsOnce...).must(t.Context(), as)
	}}})
	g.optional("saga_orchestrator", "The orchestrator", []optional{
		{"ORCHESTRATOR_RETENTION", func(as *pgxpool.Pool) error {
			_, err := store.Expire(t.Context(), as, time.Hour, saga.ID{}, 10)
			return err
		}},
		{"orchestrator saga", func(as *pgxpool.Pool) error {
			return errors.Join(store.CheckRights(t.Context(), as, sagapg.RightsToLook...),
				g.command(orchestratorcmd.New(), "database_url", as, "saga", "list"))
		}},
		{"WATCH_DEFINITIONS", func(as *pgxpool.Pool) error {
			w, err := watcher.New(watcher.Config{DB: as, Retention: time.Hour})
			if err != nil {
				return err
			}
			_, err = w.Late(t.Context())
			return errors.Join(err, w.Expire(t.Context()), checked(watcher.Rights...).must(t.Context(), as))
		}},
		{"orchestrator status", func(as *pgxpool.Pool) error { _, err := outboxpg.New(as, "").Lag(t.Context()); return err }},
		{"definition apply", func(as *pgxpool.Pool) error { _, err := store.ApplyDefinition(t.Context(), as, def); return err }},
	})
}

// must is an error where a right is lacking.
func (lacks lacking) must(ctx context.Context, as *pgxpool.Pool) error {
	statements, err := lacks(ctx, as)
	if len(statements) > 0 {
		err = errors.Join(err, fmt.Errorf("42501: %s", strings.Join(statements, "; ")))
	}
	return err
}

func (g *guarded) optional(role, section string, all []optional) {
	g.Helper()
	require.Len(g, g.roles.Only(section), len(all), "each has to be tried")
	as := g.roles.Pool(g, g.db, role)
	for _, o := range all {
		err := o.do(as)
		require.ErrorContains(g, err, "42501", "%s without the rights for %s", role, o.only)
		g.roles.Run(g, g.db, section, o.only)
		require.NoError(g, o.do(as), "%s with the rights for %s", role, o.only)
	}
}

// command runs one of a program for a role; what it says is its error if it fails.
func (g *guarded) command(cmd *cobra.Command, setting string, as *pgxpool.Pool, words ...string) error {
	file := filepath.Join(g.TempDir(), "settings.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "%s: %q\n", setting, as.Config().ConnString()), 0o600); err != nil {
		return err
	}
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(append([]string{"--config", file}, words...))
	if cli.Run(g.Context(), cmd) != cli.ExitOK {
		return errors.New(out.String())
	}
	return nil
}
