package participant_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
	sagasql "go.example/saga/sql"
)

// message is a command as a client in another language hands it to saga_command_take.
type message struct {
	MessageID       string         `json:"message_id,omitempty"`
	ReplyTo         string         `json:"reply_to,omitempty"`
	ContentType     string         `json:"content_type,omitempty"`
	ContentEncoding string         `json:"content_encoding,omitempty"`
	Headers         map[string]any `json:"headers"`
	body            string
}

func commandOf(saga uuid.UUID, operation string) message {
	return message{
		MessageID: uuid.NewString(), ReplyTo: "saga.replies.trips", ContentType: "application/json", body: `{"payload": {"cents": 5}}`,
		Headers: map[string]any{
			"cloudEvents_sagaid": saga.String(), "cloudEvents_sagatype": "trip", "cloudEvents_sagastep": "payment",
			"cloudEvents_sagaop": operation, "cloudEvents_sagaattempt": "1",
			"cloudEvents_sagakey": saga.String() + "/payment/" + operation, "traceparent": "is not copied", "number": 7,
		},
	}
}

func (m message) text(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(m)
	require.NoError(t, err)
	return string(text)
}

// delivery is the same as the Go package has it.
func (m message) delivery() inbox.Delivery {
	d := inbox.Delivery{
		MessageID: m.MessageID, ReplyTo: m.ReplyTo, ContentType: m.ContentType, ContentEncoding: m.ContentEncoding,
		Headers: map[string]string{}, Body: []byte(m.body),
	}
	for name, value := range m.Headers {
		if text, ok := value.(string); ok {
			d.Headers[name] = text
		}
	}
	return d
}

// What is a command in SQL is one in Go, and what is none names the same field.
func TestSagaCommandObjectsAsTheGoPackage(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Outbox, sagasql.Participant)
	header := func(name string, value any) func(*message) {
		return func(m *message) { m.Headers["cloudEvents_saga"+name] = value }
	}
	body := func(text string) func(*message) { return func(m *message) { m.body = text } }
	contentType := func(text string) func(*message) { return func(m *message) { m.ContentType = text } }
	encoding := func(text string) func(*message) { return func(m *message) { m.ContentEncoding = text } }
	long := strings.Repeat("x", 256)
	deep := strings.Repeat(`{"a":`, 513) + "1" + strings.Repeat("}", 513)
	for _, change := range []func(*message){
		func(*message) {}, body(`{}`), body(`{"payload":{},"outputs":{"a":{"b":1}}}`), body(`{"payload":{"n":9007199254740993e3}}`),
		contentType("application/problem+json"), contentType("application/json; charset=utf-8"), contentType(`application/cloudevents+json;charset="UTF8"`),
		contentType(""), contentType("text/plain"), contentType("application/jsonx"), contentType("application/json; charset=latin1"),
		encoding("UTF-8"), encoding("identity"), encoding("gzip"),
		func(m *message) { m.MessageID = "" }, func(m *message) { m.MessageID = strings.ToUpper(m.MessageID) },
		func(m *message) { m.MessageID = uuid.Nil.String() }, func(m *message) { m.MessageID = "{" + m.MessageID + "}" },
		func(m *message) { m.ReplyTo = "" }, func(m *message) { m.ReplyTo = long }, func(m *message) { m.Headers = nil },
		header("id", "x"), header("id", nil), header("id", 7), header("type", ""), header("type", "a\nb"), header("type", "a\u0085b"), header("type", "ä"),
		header("step", long), header("step", "other"), header("op", "UNDO"), header("op", "request"),
		header("attempt", "0"), header("attempt", "01"), header("attempt", "+1"), header("attempt", "2147483647"), header("attempt", "2147483648"),
		header("attempt", "99999999999"), header("attempt", 1), header("key", "x"), header("key", ""),
		body(``), body(`[]`), body(`null`), body(`"x"`), body(`{`), body(`{} {}`), body("{\"a\":\"\xff\"}"), body("\xef\xbb\xbf{}"), body(`{"a":"\u0000"}`),
		body(`{"a":"\ud800"}`), body(`{"payload":null}`), body(`{"payload":[]}`), body(`{"outputs":1}`), body(`{"outputs":{"a":1}}`), body(deep),
		body(`{"payload":"` + strings.Repeat("x", protocol.MaxBody) + `"}`), body(`{"payload":{"a":"` + strings.Repeat("x", protocol.MaxBody-100) + `"}}`),
	} {
		m := commandOf(uuid.New(), "REQUEST")
		m.Headers = maps.Clone(m.Headers)
		change(&m)
		var said *string
		require.NoError(t, db.QueryRow(t.Context(), `SELECT saga_command_objection($1, $2)`, m.text(t), []byte(m.body)).Scan(&said))
		_, err := protocol.DecodeCommand(m.delivery())
		if err == nil {
			require.Nil(t, said, "%.300v", m)
			continue
		}
		var bad *protocol.DecodeError
		require.ErrorAs(t, err, &bad)
		require.NotNil(t, said, "%.300v: %v", m, err)
		field, _, _ := strings.Cut(*said, ":")
		require.Equal(t, bad.Field, field, "%s; %s", *said, err)
	}
	// What is no JSON that can be stored has no message that could be compared.
	for _, text := range []string{``, `{"headers": {"a": NaN}}`, `{"reply_to": "\u0000"}`, `{"message_id": "\ud800"}`, `[]`} {
		var said *string
		require.NoError(t, db.QueryRow(t.Context(), `SELECT saga_command_objection($1, '{}')`, text).Scan(&said))
		require.NotNil(t, said, text)
	}
}

type taken struct {
	run        bool
	unreadable *string
	step, op   *string
	payload    *string
}

func take(t *testing.T, tx pgx.Tx, m message) (c taken, err error) {
	t.Helper()
	err = tx.QueryRow(t.Context(), `SELECT run, unreadable, step, operation, payload::text FROM saga_command_take($1, $2)`, m.text(t), []byte(m.body)).
		Scan(&c.run, &c.unreadable, &c.step, &c.op, &c.payload)
	return c, err
}

// From the delivery to the answer in two calls, which the orchestrator can read.
func TestSagaCommandIsAnswered(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Outbox, sagasql.Participant)
	serve := func(holder *string, trouble string) {
		_, err := db.Exec(t.Context(), `UPDATE outbox_position SET holder = $1, lease_until = now() + interval '1 min', lease_for = '1 min', last_error = nullif($2, '')`,
			holder, trouble)
		require.NoError(t, err)
	}
	// handle is one delivery; outcome "" says that the work need not run.
	handle := func(m message, outcome, output string) {
		t.Helper()
		require.NoError(t, pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error {
			c, err := take(t, tx, m)
			require.NoError(t, err)
			require.Nil(t, c.unreadable)
			require.Equal(t, outcome != "", c.run, m.Headers)
			if c.run {
				require.JSONEq(t, `{"cents":5}`, *c.payload)
				require.Equal(t, "payment", *c.step)
				_, err = tx.Exec(t.Context(), `SELECT saga_command_answer($1, $2, $3)`, m.text(t), outcome, output)
			}
			return err
		}))
	}
	begin := func() pgx.Tx {
		tx, err := db.Begin(t.Context())
		require.NoError(t, err)
		return tx
	}
	saga := uuid.Must(uuid.NewV7())

	// Nobody publishes the answers yet, or cannot.
	one := "one"
	for _, why := range []string{"no relay publishes it", "the relay says: the broker is away"} {
		tx := begin()
		_, err := take(t, tx, commandOf(saga, "REQUEST"))
		require.ErrorContains(t, err, "55000")
		require.ErrorContains(t, err, why)
		require.NoError(t, tx.Rollback(t.Context()))
		serve(&one, "the broker is away")
	}
	serve(&one, "")

	first, again, cancel := commandOf(saga, "REQUEST"), commandOf(saga, "REQUEST"), commandOf(saga, "CANCEL")
	handle(first, "retry", "{}")
	handle(first, "succeeded", `{"receipt":"r-1"}`)
	handle(first, "", "")
	handle(again, "", "")
	handle(cancel, "compensated", "{}")
	handle(cancel, "", "")
	early := commandOf(uuid.Must(uuid.NewV7()), "CANCEL")
	handle(early, "", "")
	refused := commandOf(uuid.Must(uuid.NewV7()), "REQUEST")
	handle(refused, "failed", `{"type":"urn:problem:payment:limit","title":"Too much"}`)
	handle(refused, "", "")
	tx := begin()
	c, err := take(t, tx, message{body: "x"})
	require.NoError(t, err)
	require.False(t, c.run)
	require.Equal(t, "message_id: is missing, empty or no text", *c.unreadable)
	require.NoError(t, tx.Rollback(t.Context()))

	rows, err := db.Query(t.Context(), `SELECT event_id::text, type, exchange, routing_key, content_type, headers, payload, aggregate_type, aggregate_id FROM outbox ORDER BY id`)
	require.NoError(t, err)
	defer rows.Close()
	var told, ids []string
	for rows.Next() {
		var exchange, kind, aggregateType, aggregateID string
		var d inbox.Delivery
		require.NoError(t, rows.Scan(&d.MessageID, &kind, &exchange, &d.RoutingKey, &d.ContentType, &d.Headers, &d.Body, &aggregateType, &aggregateID))
		_, reply, err := protocol.DecodeReply(d)
		require.NoError(t, err)
		require.Empty(t, exchange)
		require.Equal(t, "saga.replies.trips", d.RoutingKey)
		require.Equal(t, "trip", aggregateType)
		require.Equal(t, d.Headers["cloudEvents_sagaid"], aggregateID)
		require.Len(t, d.Headers, 7)
		output, err := json.Marshal(reply.Output)
		require.NoError(t, err)
		told = append(told, kind+" "+string(output)+reply.Problem.Type)
		ids = append(ids, d.MessageID)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, []string{
		"payment.REQUEST.retry {}urn:problem:saga:technical",
		`payment.REQUEST.succeeded {"receipt":"r-1"}`, `payment.REQUEST.succeeded {"receipt":"r-1"}`, `payment.REQUEST.succeeded {"receipt":"r-1"}`,
		"payment.CANCEL.compensated {}", "payment.CANCEL.compensated {}", "payment.CANCEL.compensated {}",
		"payment.REQUEST.failed {}urn:problem:payment:limit", "payment.REQUEST.failed {}urn:problem:payment:limit",
	}, told)
	require.Equal(t, ids[1], ids[2], "the same answer to the same message has the same id")
	require.NotEqual(t, ids[0], ids[1])
	require.NotEqual(t, ids[2], ids[3])
}
