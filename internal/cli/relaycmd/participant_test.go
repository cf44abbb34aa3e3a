package relaycmd

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/testenv"
)

// A participant's database is prepared by one command, also where psql was there before it,
// with all files or some, and as often as one likes.
func TestMigrateAParticipant(t *testing.T) {
	t.Parallel()
	root, err := services.Root()
	require.NoError(t, err)
	psql := func(db *pgxpool.Pool, lines ...string) {
		for _, line := range lines {
			files, err := filepath.Glob(filepath.Join(root, "sql", line, "[0-9]*.sql"))
			require.NoError(t, err)
			require.NotEmpty(t, files)
			for _, file := range files {
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				_, err = db.Exec(t.Context(), string(text))
				require.NoError(t, err, file)
			}
		}
	}
	for name, before := range map[string]func(*pgxpool.Pool){
		"empty":                func(*pgxpool.Pool) {},
		"the relay was there":  func(db *pgxpool.Pool) { psql(db, "outbox", "relay") },
		"psql alone was there": func(db *pgxpool.Pool) { psql(db, "outbox", "relay", "identity", "inbox", "participant") },
		"named by hand": func(db *pgxpool.Pool) {
			psql(db, "outbox", "relay", "identity", "participant")
			_, err := db.Exec(t.Context(), `INSERT INTO saga_service (name) VALUES ('payment')`)
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := testenv.Database(t)
			before(db)
			file := configFile(t, "database_urls: "+db.Config().ConnString())
			for range 2 {
				code, out, errs := command(t, t.Context(), file, "migrate", "--participant", "payment")
				require.Equal(t, cli.ExitOK, code, errs)
				require.Contains(t, out, "the tables of the participant payment are up to date\n")
			}
			var service string
			require.NoError(t, db.QueryRow(t.Context(), `
				SELECT name FROM saga_service, saga_barrier_watermark
				WHERE (SELECT count(*) FROM inbox_quarantine) + (SELECT count(*) FROM outbox_overview) = 0`).Scan(&service))
			require.Equal(t, "payment", service)
			code, _, errs := command(t, t.Context(), file, "migrate", "--participant", "other")
			require.Equal(t, cli.ExitFailed, code)
			require.Contains(t, errs, `this one is "payment"'s, not "other"'s`)
			code, _, errs = command(t, t.Context(), file, "migrate") // the relay's own does not mind
			require.Equal(t, cli.ExitOK, code, errs)
		})
	}
}

func TestMigrateAParticipantWantsOneDatabaseAndAName(t *testing.T) {
	t.Parallel()
	two := configFile(t, "database_urls: postgres://a@127.0.0.1:1/b postgres://a@127.0.0.1:1/c")
	code, _, errs := command(t, t.Context(), two, "migrate", "--participant", "payment")
	require.Equal(t, cli.ExitUsage, code)
	require.Contains(t, errs, "DATABASE_URLS: the list has 2 databases, and a participant has one: name that alone")
	for _, name := range []string{"", "a.b"} {
		code, _, errs = command(t, t.Context(), two, "migrate", "--participant", name)
		require.Equal(t, cli.ExitUsage, code)
		require.Contains(t, errs, "--participant: \""+name+"\" is no name of a service")
	}
	adopts := configFile(t, "database_urls: postgres://a@127.0.0.1:1/b"+adoptConfig)
	code, _, errs = command(t, t.Context(), adopts, "migrate", "--participant", "payment")
	require.Equal(t, cli.ExitUsage, code)
	require.Contains(t, errs, "adopt: a participant answers into an outbox of its own")
}
