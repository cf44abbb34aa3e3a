package sagasql_test

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// The functions append what the Go package makes, and refuse what it refuses.
func TestInstructionsFromSQL(t *testing.T) {
	t.Parallel()
	orders, stock := testenv.Database(t, sagasql.Outbox, sagasql.Saga), testenv.DatabaseOf(t, "stock", sagasql.Outbox, sagasql.Participant)
	_, err := orders.Exec(t.Context(), `INSERT INTO saga_definition (name, version, spec, hash) VALUES ('trip', 1, '{"steps": [{}]}', repeat('0', 64))`)
	require.NoError(t, err)
	payload := jsonmap.JSONMap{"n": json.Number("9007199254740993"), "none": nil}
	signal := saga.Signalled{Step: "approval", Refused: true, Output: jsonmap.JSONMap{"by": "ada"}, Reason: "no credit", Who: "ada"}
	for call, want := range map[string]protocol.Instruction{
		`saga_start('trip', 'T-1', '{"n": 9007199254740993, "none": null}')`: {Type: "trip", BusinessKey: "T-1", Payload: payload},
		`saga_start('trip', 'T-1')`: {Type: "trip", BusinessKey: "T-1"},
		`saga_signal('trip', 'T-1', 'approval', '{"by": "ada"}', refused => true, reason => 'no credit', who => 'ada')`: {
			Type: "trip", BusinessKey: "T-1", Signal: &signal,
		},
	} {
		expected, err := protocol.InstructionMessage(testenv.Service, want)
		require.NoError(t, err)
		var id uuid.UUID
		require.NoError(t, orders.QueryRow(t.Context(), `SELECT `+call).Scan(&id), call)
		var got outbox.Message
		var headers, body []byte
		require.NoError(t, orders.QueryRow(t.Context(), `
			SELECT aggregate_type, aggregate_id, type, exchange, routing_key, content_type, headers, payload
			FROM outbox WHERE event_id = $1`, id).Scan(
			&got.AggregateType, &got.AggregateID, &got.Type, &got.Exchange, &got.RoutingKey, &got.ContentType, &headers, &body))
		require.NoError(t, json.Unmarshal(headers, &got.Headers))
		require.Equal(t, members(t, expected.Payload), members(t, body), call)
		expected.Payload = nil
		require.Equal(t, expected, got, call)
	}
	var queue, who string
	require.NoError(t, stock.QueryRow(t.Context(), `
		WITH sent AS (SELECT saga_signal('trip', 'T-1', 'approval', service => 'orders') AS id)
		SELECT session_user FROM sent`).Scan(&who))
	require.NoError(t, stock.QueryRow(t.Context(), `SELECT routing_key FROM outbox WHERE payload ->> 'who' = $1`, who).Scan(&queue),
		"another service may be named, whose definitions are elsewhere")
	require.Equal(t, "saga.replies.orders", queue)

	for call, want := range map[string]string{
		`saga_start('trip', '')`:                             "saga trip: key: is empty",
		`saga_start('trip', NULL)`:                           "saga trip: key: is empty",
		`saga_start('trip', 'T-1', '[]')`:                    "saga trip: payload: is no JSON object",
		`saga_start('trip', 'T-1', NULL)`:                    "saga trip: payload: is no JSON object",
		`saga_start('tirp', 'T-1')`:                          "saga tirp: no such definition",
		`saga_signal('tirp', 'T-1', 'approval')`:             "saga tirp: no such definition",
		`saga_signal('trip', 'T-1', '')`:                     "saga trip: step: is empty",
		`saga_signal('trip', 'T-1', 'approval', '"yes"')`:    "saga trip: output: is no JSON object",
		`saga_start('trip', repeat('k', 256))`:               "outbox message: aggregate_id: has 256 bytes, more than 255",
		`saga_start('trip', 'T-1', service => 'else.where')`: "saga trip: service: is no name of a service",
		`saga_start('', 'T-1', service => 'elsewhere')`:      "outbox message: aggregate_type: is empty",
	} {
		_, err := orders.Exec(t.Context(), `SELECT `+call)
		var refused *pgconn.PgError
		require.ErrorAs(t, err, &refused, call)
		require.Equal(t, want, refused.Message, call)
	}
	_, err = stock.Exec(t.Context(), `SELECT saga_start('trip', 'T-1')`)
	var refused *pgconn.PgError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "saga trip: service: is not said, and the service stock has no sagas in this schema", refused.Message)
}

// members are an instruction's that say something.
func members(t *testing.T, body []byte) map[string]any {
	t.Helper()
	object, err := jsonmap.Parse(body)
	require.NoError(t, err)
	for name, value := range object {
		if text, err := json.Marshal(value); err == nil && string(text) == "{}" || value == "" || value == false {
			delete(object, name)
		}
	}
	return object
}
