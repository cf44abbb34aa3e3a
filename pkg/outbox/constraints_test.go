package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"go.example/saga/internal/testenv"
	sagasql "go.example/saga/sql"
)

const plainInsert = `INSERT INTO outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload) VALUES ('a', 'b', 'c', '', 'q', '{}')`

// with is the insert of a row that may be published but for one column.
func with(column, value string) string {
	head, tail, _ := strings.Cut(plainInsert, "payload) VALUES")
	return head + "payload, " + column + ") VALUES" + strings.TrimSuffix(tail, ")") + ", " + value + ")"
}

// Every invariant of the table is reported as PostgreSQL reports a CHECK, by a row
// inserted and by a row changed.
func TestEveryInvariantOfTheTableHasItsName(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	violations := map[string]string{
		"outbox_aggregate_type_fits": `aggregate_type = ''`,
		"outbox_aggregate_id_fits":   `aggregate_id = repeat('x', 256)`,
		"outbox_type_fits":           `type = ''`,
		"outbox_exchange_fits":       `exchange = repeat('x', 256)`,
		"outbox_routing_key_fits":    `routing_key = repeat('é', 128)`,
		"outbox_destination_named":   `routing_key = ''`,
		"outbox_correlation_id_fits": `correlation_id = ''`,
		"outbox_reply_to_fits":       `reply_to = repeat('x', 256)`,
		"outbox_reply_to_is_a_queue": `reply_to = 'amq.rabbitmq.reply-to'`,
		"outbox_content_type_fits":   `content_type = ''`,
		"outbox_one_payload":         `payload = NULL`,
		"outbox_payload_as_typed":    `content_type = 'text/plain'`,
		"outbox_payload_fits":        `payload = to_jsonb(repeat('x', 1048576))`,
		"outbox_deliver_at_fits":     `deliver_at = 'infinity'`,
		"outbox_created_at_fits":     `created_at = '-infinity'`,
		"outbox_headers_fit":         `headers = '[]'`,
	}
	_, err := pool.Exec(t.Context(), plainInsert)
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), `CREATE TABLE copied AS SELECT * FROM outbox; ALTER TABLE copied DROP id`)
	require.NoError(t, err)
	columns := `xact, event_id, aggregate_type, aggregate_id, type, exchange, routing_key, correlation_id, reply_to,
		content_type, headers, payload, payload_bytes, deliver_at, created_at`
	for name, change := range violations {
		for _, statement := range []string{
			`UPDATE outbox SET ` + change,
			fmt.Sprintf(`WITH c AS (UPDATE copied SET %s RETURNING *) INSERT INTO outbox (%s) SELECT %[2]s FROM c`, change, columns),
		} {
			_, err := pool.Exec(t.Context(), statement)
			var pg *pgconn.PgError
			require.ErrorAs(t, err, &pg, "%s: %s", name, statement)
			require.Equal(t, []string{"23514", name, "public"}, []string{pg.Code, pg.ConstraintName, pg.SchemaName}, statement)
			require.Equal(t, fmt.Sprintf("new row for relation %q violates check constraint %q", pg.TableName, name), pg.Message)
			require.Regexp(t, "^outbox_p[0-9]+$", pg.TableName, "the partition's name, as by PostgreSQL")
		}
	}
	rows, err := pool.Query(t.Context(), `SELECT m[1] FROM pg_proc, regexp_matches(prosrc, $$THEN '(\w+)'$$, 'g') AS m
		WHERE oid = 'outbox_check'::regproc`)
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), strings.Replace(strings.Replace(plainInsert, `(aggregate`, `(id, aggregate`, 1), `VALUES ('a'`, `OVERRIDING SYSTEM VALUE VALUES (0, 'a'`, 1))
	var pg *pgconn.PgError
	require.ErrorAs(t, err, &pg)
	violations[pg.ConstraintName] = `id = 0` // a column that no UPDATE takes
	require.Len(t, names, len(violations))
	for _, name := range names {
		require.Contains(t, violations, name)
	}
}

// headersFit tells from the text of headers whether the outbox may take them. Escapes
// that are no text, as \u0000, are refused as well.
func headersFit(text string) bool {
	if strings.Contains(text, `\u0000`) {
		return false
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return false
	}
	for decoder.More() {
		key, _ := decoder.Token()
		value, err := decoder.Token()
		name, _ := key.(string)
		content, isText := value.(string)
		if err != nil || !isText || name == "" || name == "CC" || name == "BCC" || len(name) > 255 || len(content) > 255 {
			return false
		}
	}
	return true
}

// refusesHeaders asks the table and the function that is its measure.
func refusesHeaders(ctx context.Context, t require.TestingT, tx pgx.Tx, headers string) (table, function bool) {
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, with("headers", "$1::text::json"), headers)
		return err
	})
	table = err != nil
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		require.Contains(t, []string{"outbox_headers_fit 23514", " 22P05", " 22P02"}, pg.ConstraintName+" "+pg.Code, headers)
	} else {
		require.NoError(t, err)
	}
	var fit bool
	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT outbox_headers_fit($1::text::json)`, headers).Scan(&fit)
	})
	return table, err != nil || !fit
}

// Headers are mostly judged by their text: never otherwise than by what they mean.
func TestHeadersAreJudgedByWhatTheyMean(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	ctx := t.Context()
	tx, err := pool.Begin(ctx)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(ctx)) })
	judge := func(t require.TestingT, headers string) (fits bool) {
		fits = headersFit(headers)
		table, function := refusesHeaders(ctx, t, tx, headers)
		require.Equal(t, fits, !function, "function: %s", headers)
		require.Equal(t, fits, !table, "table: %s", headers)
		return fits
	}
	// Around the lengths where a string may be too long, at each place within the text.
	for _, length := range []int{0, 1, 127, 128, 129, 130, 200, 254, 255, 256, 257, 300} {
		text := long(length)
		for before := range 9 {
			pairs := strings.Repeat(`"k":"`+long(before*15)+`",`, min(before, 1))
			for _, after := range []string{``, `,"z":"` + long(100) + `"`, `,"z":"` + long(255) + `"`} {
				require.Equal(t, length <= 255, judge(t, `{`+pairs+`"a":"`+text+`"`+after+`}`))
				require.Equal(t, 1 <= length && length <= 255, judge(t, `{`+pairs+`"`+text+`": "v"`+after+`}`))
			}
		}
	}
	for headers, fits := range map[string]bool{
		`{}`: true, `{ }`: true, ` {"a" : "b"} `: true, "{\"a\"\n:\t\"b\"}": true, `{"a": "b", "c": "d"}`: true, `{"a":"b","a":"c"}`: true,
		`{"a":"CC"}`: true, `{"a":"xCC"}`: true, `{"aCC":"b"}`: true, `{"CCa":"b"}`: true, `{"cc":"b"}`: true, `{"a":"{\"CC\":1}"}`: true,
		`{"é":"ü"}`: true, `{"a":"` + strings.Repeat("é", 127) + `"}`: true, `{"a":"` + strings.Repeat("é", 128) + `"}`: false,
		`{"a":"` + strings.Repeat(`\u0041`, 255) + `"}`: true, `{"a":"` + strings.Repeat(`\u0041`, 256) + `"}`: false,
		`{"a":"` + strings.Repeat(`\u00e9`, 127) + `"}`: true, `{"a":"` + strings.Repeat(`\u00e9`, 128) + `"}`: false,
		`{"a":"[{:,}]"}`: true, `{"[":"]"}`: true, `{"^-~ !#":"` + "`" + `{}"}`: true, `{"a":"\\"}`: true, `{"a\"b":"c"}`: true,
		`{"CC":"b"}`: false, `{"BCC":"b"}`: false, `{"a":"b","CC":"d"}`: false, `{"\u0043C":"b"}`: false, `{"CC" :"b"}`: false,
		`{"a":"b","a":1}`: false, `{"a":1,"a":"b"}`: false, `{"a":null}`: false, `{"a":true}`: false, `{"a":{}}`: false, `{"a":["b"]}`: false,
		`{"a":{"b":"c"}}`: false, `{"a":"b","c":{"d":"e"}}`: false, `{"":"b"}`: false, `{"a":"b","":"c"}`: false, `{"a":""}`: true,
		`[]`: false, `["a"]`: false, `[{"a":"b"}]`: false, `"a"`: false, `"{}"`: false, `null`: false, `1`: false, `["a","b"]`: false,
		`{"a":"\u0000"}`: false,
	} {
		require.Equal(t, fits, judge(t, headers), headers)
	}
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		for _, headers := range rapid.SliceOfN(headersText(), 1, 20).Draw(t, "headers") {
			if judge(t, headers) {
				accepted++
			} else {
				refused++
			}
		}
	})
	require.Greater(t, accepted, 100)
	require.Greater(t, refused, 100)
}

// headersText generates JSON, most of it nearly headers.
func headersText() *rapid.Generator[string] {
	piece := rapid.SampledFrom([]string{
		"a", "k", "C", "CC", "B", " ", ":", ",", "{", "}", "[", "]", "'", "^", "-", "~", "é", "€", "😀", "\u007f",
		`\"`, `\\`, `\/`, `\n`, `\u0043`, `\u00e9`, `\ud83d\ude00`, `\u0022`, `\u0000`,
	})
	return rapid.Custom(func(t *rapid.T) string {
		space := func() string { return rapid.SampledFrom([]string{"", "", "", " ", "\n", "  "}).Draw(t, "space") }
		text := func(name string) string {
			switch rapid.IntRange(0, 7).Draw(t, name+" is") {
			case 0:
				return `"` + strings.Join(rapid.SliceOfN(piece, 0, 6).Draw(t, name), "") + `"`
			case 1:
				return `"` + long(rapid.IntRange(250, 260).Draw(t, name)) + `"`
			case 2:
				return `"` + strings.Repeat(piece.Draw(t, name), rapid.SampledFrom([]int{1, 63, 64, 85, 127, 128, 255, 256}).Draw(t, name)) + `"`
			default:
				return `"` + rapid.StringMatching(`[A-Za-z_]{0,80}`).Draw(t, name) + `"`
			}
		}
		value := func() string {
			if rapid.IntRange(0, 20).Draw(t, "odd") == 0 {
				return rapid.SampledFrom([]string{"1", "null", "true", "{}", "[]", `{"a":"b"}`, `["a"]`}).Draw(t, "value")
			}
			return text("value")
		}
		var members []string
		for range rapid.IntRange(0, 6).Draw(t, "members") {
			members = append(members, space()+text("name")+space()+":"+space()+value()+space())
		}
		object := "{" + strings.Join(members, ",") + "}"
		if rapid.IntRange(0, 30).Draw(t, "wrapped") == 0 {
			return "[" + object + "]"
		}
		return space() + object + space()
	})
}
