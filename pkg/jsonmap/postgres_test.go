package jsonmap_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/jsonmap"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// printed is the text that PostgreSQL prints for a text cast to jsonb.
func printed(ctx context.Context, conn *pgx.Conn, text string) (string, error) {
	var out string
	err := conn.QueryRow(ctx, `SELECT $1::text::jsonb::text`, text).Scan(&out)
	return out, err
}

func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), testenv.Database(t).Config().ConnString())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	return conn
}

func TestPostgresAgreesWithCheck(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	for _, text := range accepted {
		out, err := printed(t.Context(), conn, text)
		require.NoError(t, err, "%.60q", text)
		size, err := jsonmap.Size([]byte(text))
		require.NoError(t, err)
		require.Equal(t, len(out), size, "%.60q became %.60q", text, out)
	}
	for _, c := range refused {
		_, err := printed(t.Context(), conn, c.text)
		require.Error(t, err, "%.60q", c.text)
	}
	for _, c := range lossy {
		_, err := printed(t.Context(), conn, c.text)
		require.NoError(t, err, "%.60q belongs to refused", c.text)
	}
}

// Texts of JSON's own characters and of near misses: whatever Check takes, jsonb
// takes and prints in so many bytes; what jsonb refuses, Check refuses.
func TestPostgresAgreesWithCheckOnRandomTexts(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	token := rapid.SampledFrom([]string{
		`{`, `}`, `[`, `]`, `,`, `:`, ` `, `"a"`, `"b"`, `"":`, `"k":`, `""`, `"é"`, `"\u0061"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\n\u001f\/"`,
		`null`, `true`, `0`, `-`, `.`, `1`, `9`, `e`, `E+`, `00`, `131`, `071`, `-16383`, `0.5`,
	})
	text := rapid.OneOf(
		rapid.Map(rapid.SliceOfN(token, 1, 8), func(parts []string) string { return strings.Join(parts, "") }),
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,6})?`),
		rapid.StringMatching(`\[("[a\\/un0d8c"é]{0,6}",?){0,3}\]`),
	)
	rapid.Check(t, func(t *rapid.T) {
		text := text.Draw(t, "text")
		size, checked := jsonmap.Size([]byte(text))
		out, err := printed(context.Background(), conn, text)
		if err != nil {
			require.Error(t, checked, "jsonb refuses %q: %v", text, err)
		} else if checked == nil {
			require.Len(t, out, size, "%q became %q", text, out)
		} else {
			require.ErrorContains(t, checked, "twice", "jsonb takes %q", text)
		}
	})
}

func TestColumnThroughPgx(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	m := parse(t, `{"big":9007199254740993,"text":"<é>","list":[1.10,null]}`)
	conn.TypeMap().RegisterDefaultPgType(jsonmap.JSONMap{}, "jsonb") // for the modes that do not ask the server
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		var back, null jsonmap.JSONMap
		null = jsonmap.JSONMap{"old": 1}
		var exact bool
		require.NoError(t, conn.QueryRow(t.Context(),
			`SELECT $1::jsonb, NULL::jsonb, $1::jsonb @> '{"big":9007199254740993}'`, mode, m).Scan(&back, &null, &exact), mode)
		require.Equal(t, m, back)
		require.Nil(t, null)
		require.True(t, exact)
	}
	var empty, null bool
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT $1::jsonb = '{}', $2::jsonb IS NULL`,
		jsonmap.JSONMap{}, jsonmap.JSONMap(nil)).Scan(&empty, &null))
	require.True(t, empty)
	require.True(t, null)
	require.ErrorContains(t, conn.QueryRow(t.Context(), `SELECT '[1]'::jsonb`).Scan(&m), "a JSON object is due")
	_, err := conn.Exec(t.Context(), `SELECT $1::jsonb`, jsonmap.JSONMap{"a": "\x00"})
	var wrong *jsonmap.Error
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, "/a", wrong.Pointer)
}

func TestColumnThroughDatabaseSQL(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("pgx", testenv.Database(t).Config().ConnString())
	require.NoError(t, err)
	defer db.Close()
	m := parse(t, `{"big":9007199254740993,"o":{"n":0.10}}`)
	var back, null jsonmap.JSONMap
	require.NoError(t, db.QueryRowContext(t.Context(), `SELECT $1::jsonb, NULL::jsonb`, m).Scan(&back, &null))
	require.Equal(t, m, back)
	require.Nil(t, null)
	require.ErrorContains(t, back.Scan(1), "int")
}
