package sagasql_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	sagasql "go.example/saga/sql"
)

func TestEverythingHasAComment(t *testing.T) {
	t.Parallel()
	conn := migrated(t)
	for what, query := range map[string]string{
		"table or view": `
			SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			 WHERE n.nspname IN ('public', 'order') AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
			   AND obj_description(c.oid, 'pg_class') IS NULL`,
		"column": `
			SELECT c.oid::regclass || '.' || a.attname
			  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			 WHERE n.nspname IN ('public', 'order') AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
			   AND col_description(c.oid, a.attnum) IS NULL`,
		"function": `
			SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
			 WHERE n.nspname IN ('public', 'order') AND obj_description(p.oid, 'pg_proc') IS NULL
			   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')`,
	} {
		require.Empty(t, names(t, conn, query), "%s without COMMENT", what)
	}
}

func TestTablesKeepTheConventions(t *testing.T) {
	t.Parallel()
	conn := migrated(t)
	for what, query := range map[string]string{
		"timestamp without time zone": `
			SELECT table_name || '.' || column_name FROM information_schema.columns
			 WHERE table_schema IN ('public', 'order') AND data_type = 'timestamp without time zone'`,
		"object of one schema in the other": `
			SELECT p.oid::regprocedure::text FROM pg_proc p
			 WHERE p.pronamespace = '"order"'::regnamespace AND p.prosrc ~ '\mpublic\.'`,
		"view of one schema on the other": `
			SELECT viewname::text FROM pg_views WHERE schemaname = 'order' AND definition ~ '\mpublic\.'`,
	} {
		require.Empty(t, names(t, conn, query), what)
	}
}

func names(t *testing.T, conn *pgx.Conn, query string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), query)
	require.NoError(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return found
}

// With an empty search_path, so that a name without its schema is not found.
func TestEveryQueryFitsTheTables(t *testing.T) {
	t.Parallel()
	conn := migrated(t)
	_, err := conn.Exec(t.Context(), `SET search_path = ''`)
	require.NoError(t, err)
	files, err := filepath.Glob("*/queries/*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.Replace(filepath.ToSlash(file), "/queries/", "/", 1)
		for _, schema := range []string{"", otherSchema} {
			_, err := conn.Prepare(t.Context(), "", sagasql.Query(schema, name))
			require.NoError(t, err, "%s in schema %q", file, schema)
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(text), "-- "), "%s: a comment on top says why it has this shape", file)
	}
}

// afterReading are statements that write what another one has read in the same transaction.
var afterReading = map[string]bool{
	"saga/queries/save.sql": true, "saga/queries/postpone.sql": true, "saga/queries/rest.sql": true, "participant/queries/settle.sql": true,
	"saga/queries/watch_save.sql": true,
}

// What reads sagas or the barrier refuses to where row security would hide some.
func TestReadersRefuseHiddenRows(t *testing.T) {
	t.Parallel()
	reads := regexp.MustCompile(`(?i)\b(FROM|JOIN|UPDATE) (ONLY )?public\.(saga\w*)`)
	for _, line := range []string{"saga", "participant", "reservation", "hotel", "payment"} {
		files, err := filepath.Glob(line + "/queries/*.sql")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			// A webhook that is hidden is told as one that is missing, by its name.
			ofWebhooks := strings.HasPrefix(filepath.Base(file), "webhook_")
			if reads.Match(text) && !ofWebhooks && !afterReading[filepath.ToSlash(file)] {
				require.Regexp(t, `(?m)^OFFSET public\.saga(_barrier)?_hidden\(\)$`, string(text), file)
			}
		}
	}
	conn := migrated(t)
	require.Empty(t, names(t, conn, `
		SELECT p.oid::regprocedure::text FROM pg_proc p
		 WHERE p.pronamespace = 'public'::regnamespace AND p.proname ~ '^saga'
		   AND p.prosrc ~* '\m(FROM|INTO|UPDATE|JOIN)\s+public\.saga\w*\M(?!\s*\()'
		   AND NOT coalesce(p.proconfig, '{}') @> '{row_security=off}' AND p.prosrc !~ '_hidden\(\)'`))
}

// Functions are not looked into before they run, so their texts are searched: names
// of this project's objects have a schema in front.
func TestFunctionsNameTheirSchema(t *testing.T) {
	t.Parallel()
	conn := migrated(t)
	relations := names(t, conn, `
		SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')`)
	unqualified := regexp.MustCompile(`(?i)\b(FROM|JOIN|INTO|UPDATE|TABLE)\s+(ONLY\s+)?(` + strings.Join(relations, "|") + `)\b`)
	bare := regexp.MustCompile(`\bpublic\b[^.]`)
	// An extension belongs to the database: it is in public whatever the schema.
	apart := regexp.MustCompile(`--.*|COMMENT ON [^;]*;|CREATE EXTENSION [^;]*;`)
	require.NoError(t, fs.WalkDir(os.DirFS("."), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".sql" {
			return err
		}
		text, err := os.ReadFile(path)
		code := apart.ReplaceAllString(string(text), "")
		require.Empty(t, unqualified.FindAllString(code, -1), path)
		require.Empty(t, bare.FindAllString(code, -1), "%s: only `public.` is replaced by another schema", path)
		return err
	}))
}

// What a function calls must not depend on the session's search_path. A path of its own costs
// each call a microsecond and keeps a function from being put in place of its call, so those that
// are called for each row or statement, and short ones in SQL, name pg_catalog in front of what they call.
func TestFunctionsCallWhatTheyMean(t *testing.T) {
	t.Parallel()
	conn := migrated(t)
	calls := regexp.MustCompile(`(?:^|[^\w.])([a-z_][a-z_0-9]*)\(`)
	builtin := map[string]bool{}
	for _, name := range names(t, conn, `SELECT DISTINCT proname::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace`) {
		builtin[name] = true
	}
	for _, keyword := range []string{"coalesce", "nullif", "least", "greatest", "exists"} {
		delete(builtin, keyword)
	}
	const without = `FROM pg_proc AS p WHERE p.pronamespace = 'public'::regnamespace
		AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')
		AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS c (setting) WHERE c.setting ~ '^search_path=') ORDER BY p.proname`
	functions := names(t, conn, `SELECT p.proname::text `+without)
	require.Equal(t, []string{
		"outbox_check", "outbox_headers_fit", "outbox_highest_id", "outbox_is_foreign", "outbox_last_id", "outbox_number", "outbox_parked_changed",
		"outbox_parked_promote", "outbox_partitions_missing", "outbox_shard", "saga_barrier_check", "saga_barrier_hidden", "saga_check", "saga_hidden", "saga_history_check", "saga_problem",
	}, functions)
	for i, text := range names(t, conn, `SELECT regexp_replace(p.prosrc, '--[^\n]*|''[^'']*''', '', 'g') `+without) {
		for _, call := range calls.FindAllStringSubmatch(text, -1) {
			require.False(t, builtin[call[1]], "%s calls %s without its schema", functions[i], call[1])
		}
	}
}
