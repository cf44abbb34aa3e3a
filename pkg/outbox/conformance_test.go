package outbox_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	sagasql "go.example/saga/sql"
)

// A way is a way into the outbox: one message, in a transaction of its own.
type way func(ctx context.Context, m outbox.Message) error

func ways(t *testing.T, pool *pgxpool.Pool) map[string]way {
	db := open(t, pool)
	return map[string]way{
		"Append": func(ctx context.Context, m outbox.Message) error {
			return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return outbox.Append(ctx, tx, m) })
		},
		"AppendSQL": func(ctx context.Context, m outbox.Message) error {
			return unitOfWork{db}.do(ctx, func(tx *sql.Tx) error { return outbox.AppendSQL(ctx, tx, m) })
		},
		"outbox_append": func(ctx context.Context, m outbox.Message) error { return callFunction(ctx, pool, m) },
	}
}

// callFunction does what a writer in another language does.
func callFunction(ctx context.Context, pool *pgxpool.Pool, m outbox.Message) error {
	var id, headers, payload *string
	var payloadBytes []byte
	var at *time.Time
	if m.ID != uuid.Nil {
		id = ref(m.ID.String())
	}
	if m.Headers != nil {
		var members []string
		for name, value := range m.Headers {
			members = append(members, quoted(name)+":"+quoted(value))
		}
		headers = ref("{" + strings.Join(members, ",") + "}")
	}
	switch {
	case !isJSON(m):
		payloadBytes = append([]byte{}, m.Payload...)
	case m.Payload != nil:
		payload = ref(string(m.Payload))
	}
	if !m.DeliverAt.IsZero() {
		at = &m.DeliverAt
	}
	_, err := pool.Exec(ctx, `
		SELECT public.outbox_append(
			aggregate_type => $1, aggregate_id => $2, type => $3, exchange => $4, routing_key => $5,
			payload => $6::text::jsonb, headers => $7::text::jsonb, event_id => $8::text::uuid,
			correlation_id => $9, reply_to => $10, content_type => $11,
			payload_bytes => $12, deliver_at => $13)`,
		m.AggregateType, m.AggregateID, m.Type, m.Exchange, m.RoutingKey, payload, headers, id,
		m.CorrelationID, m.ReplyTo, m.ContentType, payloadBytes, at)
	return err
}

func ref(text string) *string { return &text }

// quoted leaves bad text as it is, where encoding/json would mend it.
func quoted(text string) string {
	if !utf8.ValidString(text) {
		return `"` + text + `"`
	}
	json, _ := json.Marshal(text)
	return string(json)
}

// refusedField is the field that an error names: Go does in a ValidationError, the
// function in the error's column. What is no text or no jsonb at all never reaches the
// function, so then the field is not known; neither is it for other errors.
func refusedField(err error) (field string, refused bool) {
	var invalid *outbox.ValidationError
	if errors.As(err, &invalid) {
		return invalid.Field, true
	}
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return "", false
	}
	switch pgErr.Code {
	case "22023":
		return pgErr.ColumnName, strings.Contains(pgErr.Message, pgErr.ColumnName+": ")
	case "22021", "22P02", "22P05", "22003":
		return "", true
	}
	return "", false
}

func TestEveryWayGivesTheSameVerdict(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	for name, write := range ways(t, pool) {
		good := 0
		for _, c := range verdicts {
			err := write(t.Context(), message(c.change))
			if c.field == "" {
				require.NoError(t, err, "%s: %s", name, c.name)
				good++
				continue
			}
			field, refused := refusedField(err)
			require.True(t, refused, "%s: %s: %v", name, c.name, err)
			if field != "" || name != "outbox_append" {
				require.Equal(t, c.field, field, "%s: %s: %v", name, c.name, err)
			}
		}
		rows := stored(t, pool, "public.outbox")
		require.Len(t, rows, good, "%s: what is refused leaves no row", name)
		i := 0
		for _, c := range verdicts {
			if c.field == "" {
				requireSame(t, message(c.change), rows[i])
				i++
			}
		}
		_, err := pool.Exec(t.Context(), `DELETE FROM public.outbox`)
		require.NoError(t, err)
	}
}

// requireSame compares a message with its row, but for what the database fills in.
func requireSame(t require.TestingT, sent, row outbox.Message) {
	if sent.ID == uuid.Nil {
		row.ID = uuid.Nil
	}
	if sent.ContentType == "" {
		sent.ContentType = "application/json"
	}
	if sent.Headers == nil {
		sent.Headers = map[string]string{}
	}
	switch {
	case !isJSON(sent):
		require.Equal(t, string(sent.Payload), string(row.Payload))
	case len(sent.Payload) < 1000: // the large ones take long to compare
		require.JSONEq(t, string(sent.Payload), string(row.Payload))
	}
	sent.DeliverAt = sent.DeliverAt.UTC().Truncate(time.Microsecond)
	sent.Payload, row.Payload = nil, nil
	require.Equal(t, sent, row)
}

// Random messages near the bounds: the ways agree with Validate.
func TestEveryWayAgreesWithValidate(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	all := ways(t, pool)
	text := rapid.OneOf(
		rapid.SampledFrom([]string{"", "a", "NULL", `"`, `\`, `{a,"b"}`, "x-", "CC", "a\x00", "a\xff", "application/json", "é+json", "a/b+json; c", "a/json", "text/plain"}),
		rapid.Map(rapid.IntRange(250, 260), long),
		rapid.StringN(0, 6, -1),
	)
	usual := func(value string) *rapid.Generator[string] {
		return rapid.OneOf(rapid.Just(value), rapid.Just(value), rapid.Just(value), rapid.Just(value), text)
	}
	messages := rapid.Custom(func(t *rapid.T) outbox.Message {
		return outbox.Message{
			AggregateType: usual("a").Draw(t, "aggregate type"), AggregateID: usual("b").Draw(t, "aggregate id"),
			Type: usual("c").Draw(t, "type"), Exchange: usual("").Draw(t, "exchange"), RoutingKey: usual("q").Draw(t, "routing key"),
			CorrelationID: usual("d").Draw(t, "correlation id"), ReplyTo: usual("").Draw(t, "reply to"),
			ContentType: usual("").Draw(t, "content type"),
			Headers:     rapid.MapOfN(usual("k"), usual("v"), 0, 2).Draw(t, "headers"),
			DeliverAt:   rapid.SampledFrom([]time.Time{{}, {}, time.Unix(1, 0), time.Unix(2e9, 1)}).Draw(t, "deliver at"),
			Payload:     []byte(rapid.SampledFrom([]string{`{}`, `1`, `"\ud800"`, `{"a":`, `[null]`, "", "\x00"}).Draw(t, "payload")),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		m := messages.Draw(t, "message")
		invalid := outbox.Validate(m)
		for name, write := range all {
			err := write(context.Background(), m)
			if invalid == nil {
				require.NoError(t, err, name)
				continue
			}
			_, refused := refusedField(err)
			require.True(t, refused, "%s: %v, but Validate: %v", name, err, invalid)
		}
	})
}

// The function's own corners, which Go cannot reach.
func TestFunctionAlone(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	require.NoError(t, sagasql.Up(t.Context(), pool.Config().ConnString(), "order", sagasql.Outbox))
	const call = `outbox_append(aggregate_type => 'a', aggregate_id => 'b', type => 'c', `

	var id, row uuid.UUID
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT public.`+call+`exchange => '', routing_key => 'q', payload => '{}')`).Scan(&id))
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT event_id FROM public.outbox`).Scan(&row))
	require.Equal(t, row, id)

	// In another schema, whatever search_path says.
	require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `SET LOCAL search_path = ''`)
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `SELECT "order".`+call+`exchange => 'e', routing_key => NULL, payload => '1', headers => NULL)`)
		return err
	}))
	require.Len(t, stored(t, pool, `"order".outbox`), 1)
	require.Len(t, stored(t, pool, `public.outbox`), 1)

	for rest, field := range map[string]string{
		`exchange => NULL, routing_key => NULL, payload => '{}')`:                                          "routing_key",
		`exchange => 'e', routing_key => '', payload => NULL)`:                                             "payload",
		`exchange => 'e', routing_key => '')`:                                                              "payload",
		`exchange => 'e', routing_key => '', payload_bytes => '')`:                                         "payload_bytes",
		`exchange => 'e', routing_key => '', payload => '{}', payload_bytes => '')`:                        "payload_bytes",
		`exchange => 'e', routing_key => '', content_type => 'a/b', payload => '{}')`:                      "payload",
		`exchange => 'e', routing_key => '', content_type => 'a/b', payload => '{}', payload_bytes => '')`: "payload",
		`exchange => 'e', routing_key => '', content_type => 'a/b')`:                                       "payload_bytes",
		`exchange => 'e', routing_key => '', payload => '{}', deliver_at => 'infinity')`:                   "deliver_at",
		`exchange => 'e', routing_key => '', payload => '{}', deliver_at => '-infinity')`:                  "deliver_at",
		`exchange => 'e', routing_key => '', payload => '{}', headers => '[]')`:                            "headers",
		`exchange => 'e', routing_key => '', payload => '{}', headers => '"x"')`:                           "headers",
		`exchange => 'e', routing_key => '', payload => '{}', headers => 'null')`:                          "headers",
		`exchange => 'e', routing_key => '', payload => '{}', headers => '{"a":1}')`:                       "headers",
		`exchange => 'e', routing_key => '', payload => '{}', headers => '{"a":null}')`:                    "headers",
		`exchange => 'e', routing_key => '', payload => '{}', headers => '{"a":{"b":"c"}}')`:               "headers",
		`exchange => 'e', routing_key => '', payload => '{}', headers => '{"a":"b","x-c":1}')`:             "headers",
	} {
		_, err := pool.Exec(t.Context(), `SELECT public.`+call+rest)
		named, refused := refusedField(err)
		require.True(t, refused, "%s: %v", rest, err)
		require.Equal(t, field, named, rest)
	}
	var pgErr *pgconn.PgError
	_, err := pool.Exec(t.Context(), `SELECT public.outbox_append(NULL, 'b', 'c', '', 'q', '{}')`)
	require.ErrorAs(t, err, &pgErr)
	require.Equal(t, "outbox message: aggregate_type: is empty", pgErr.Message)
}

// A plain INSERT is held to what would stop the relay or mislead a consumer.
func TestTableRefusesWhatMustNotBePublished(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	insert := func(changes ...string) error {
		columns := map[string]*string{
			"aggregate_type": ref("a"), "aggregate_id": ref("b"), "type": ref("c"), "exchange": ref(""), "routing_key": ref("q"),
			"correlation_id": ref("d"), "reply_to": ref("e"), "content_type": ref("application/json"),
			"headers": ref("{}"), "payload": ref("{}"),
		}
		for i := 0; i < len(changes); i += 2 {
			columns[changes[i]] = &changes[i+1]
			if changes[i+1] == "NULL" {
				columns[changes[i]] = nil
			}
		}
		_, err := pool.Exec(t.Context(), `
			INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, correlation_id, reply_to,
			                           content_type, headers, payload, payload_bytes, deliver_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10::text::jsonb, $11::text::bytea, $12::text::timestamptz)`,
			columns["aggregate_type"], columns["aggregate_id"], columns["type"], columns["exchange"], columns["routing_key"],
			columns["correlation_id"], columns["reply_to"], columns["content_type"], columns["headers"], columns["payload"],
			columns["payload_bytes"], columns["deliver_at"])
		return err
	}
	require.NoError(t, insert())
	for _, column := range []string{"aggregate_type", "aggregate_id", "type", "exchange", "routing_key", "correlation_id", "reply_to"} {
		require.NoError(t, insert(column, long(255)), column)
		require.ErrorContains(t, insert(column, long(256)), "outbox_"+column)
	}
	require.NoError(t, insert("content_type", "a/json;"+long(248)))
	require.ErrorContains(t, insert("content_type", "a/json;"+long(249)), "outbox_content_type")
	for _, column := range []string{"aggregate_type", "aggregate_id", "type", "routing_key", "correlation_id", "reply_to", "content_type"} {
		require.ErrorContains(t, insert(column, ""), "violates check constraint", column)
	}
	require.ErrorContains(t, insert("reply_to", "amq.rabbitmq.reply-to"), "outbox_reply_to_is_a_queue")
	for _, headers := range []string{`[]`, `"x"`, `null`, `{"a":1}`, `{"a":"` + long(256) + `"}`, `{"` + long(256) + `":"v"}`, `{"":"v"}`, `{"CC":"q"}`, `{"BCC":"q"}`} {
		require.ErrorContains(t, insert("headers", headers), "outbox_headers", "%.20s", headers)
	}

	require.NoError(t, insert("content_type", "a/b", "payload", "NULL", "payload_bytes", ""))
	require.ErrorContains(t, insert("payload", "NULL"), "violates check constraint")
	require.ErrorContains(t, insert("payload_bytes", ""), "outbox_one_payload")
	require.ErrorContains(t, insert("payload", "NULL", "payload_bytes", "{}"), "outbox_payload_as_typed")
	for _, contentType := range []string{"a/b", "a/jsonl", "a/b; c=a/json"} {
		require.ErrorContains(t, insert("content_type", contentType), "outbox_payload_as_typed")
	}
	for _, contentType := range []string{"a/JSON", "a/b+json", "a/b+c+json ;d"} {
		require.NoError(t, insert("content_type", contentType))
	}
	require.NoError(t, insert("deliver_at", "2033-05-18"))
	for _, at := range []string{"infinity", "-infinity", "1970-01-20"} {
		require.ErrorContains(t, insert("deliver_at", at), "outbox_deliver_at_fits")
	}
}
