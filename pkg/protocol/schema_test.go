package protocol_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/schematest"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// asMessage is a delivery as the schemas see it; not ok where its body is no JSON.
func asMessage(t testing.TB, d inbox.Delivery) (message any, ok bool) {
	t.Helper()
	if !json.Valid(d.Body) {
		return nil, false
	}
	parts := map[string]any{"headers": d.Headers, "body": json.RawMessage(d.Body)}
	for name, text := range map[string]string{
		"message_id": d.MessageID, "type": d.Type, "correlation_id": d.CorrelationID,
		"content_type": d.ContentType, "content_encoding": d.ContentEncoding, "reply_to": d.ReplyTo,
	} {
		if text != "" {
			parts[name] = text
		}
	}
	encoded, err := json.Marshal(parts)
	require.NoError(t, err)
	return schematest.Value(t, encoded), true
}

func requireFits(t testing.TB, schema *jsonschema.Schema, d inbox.Delivery) {
	t.Helper()
	message, ok := asMessage(t, d)
	require.True(t, ok)
	require.NoError(t, schema.Validate(message))
}

// beyond are damages that no schema can know: what bytes are, how many, and whether two parts say
// the same.
var beyond = []string{
	"NUL", "lone surrogate", "invalid UTF-8", "step with bad UTF-8", "too deep", "too large", "payload too large",
	"key of another step", "another saga in the body", "another type in the body",
}

func requireUnfit(t testing.TB, schema *jsonschema.Schema, damage string, d inbox.Delivery) {
	t.Helper()
	if message, ok := asMessage(t, d); ok && !slices.Contains(beyond, damage) {
		require.Error(t, schema.Validate(message), "the schema takes what is refused: %s", damage)
	}
}

// fullest are the messages of every kind, with every member that one can have.
func fullest(t testing.TB) map[string][]outbox.Message {
	t.Helper()
	all := map[string][]outbox.Message{"instruction": {sampleStart(t), sampleSignal(t)}}
	st := sampleState(t)
	problem := saga.Problem{Type: "urn:problem:payment:card-declined", Title: "Card declined", Detail: "card declined"}
	outcomes := []saga.Outcome{saga.OutcomeSucceeded, saga.OutcomeConfirmed, saga.OutcomeCompensated, saga.OutcomeFailed, saga.OutcomeRetry}
	called, err := protocol.CommandMessage("trips", st, saga.SendCommand{
		Step: "payment", Operation: saga.Request, Attempt: 1, URL: "http://payment.example/", Timeout: 1500 * time.Millisecond,
	})
	require.NoError(t, err)
	all["command"] = append(all["command"], called)
	for _, op := range []saga.Operation{saga.Request, saga.Confirm, saga.Cancel} {
		command, err := protocol.CommandMessage("trips", st, saga.SendCommand{
			Step: "payment", Operation: op, Attempt: 2147483647, Destination: "payment", Payload: st.Payload, Outputs: st.Outputs,
		})
		require.NoError(t, err)
		all["command"] = append(all["command"], command)
		for _, outcome := range outcomes {
			if outcome.Answers(op) {
				reply, err := protocol.ReplyMessage(decoded(t, command), protocol.Reply{Outcome: outcome, Output: st.Payload, Problem: problem})
				require.NoError(t, err)
				all["reply"] = append(all["reply"], reply)
			}
		}
	}
	for kind, status := range map[saga.EventKind]saga.Status{
		saga.EventCompleted: saga.StatusCompleted, saga.EventAborted: saga.StatusAborted,
		saga.EventParked: saga.StatusParked, saga.EventKilled: saga.StatusKilled,
	} {
		for _, class := range []saga.FailureClass{
			saga.FailureRefused, saga.FailureUnknown, saga.FailureUnavailable, saga.FailureUnsignalled,
			saga.FailureCondition, saga.FailureDeadline, saga.FailureAborted,
		} {
			for _, park := range []saga.ParkReason{
				saga.ParkExhausted, saga.ParkRefused, saga.ParkUnavailable, saga.ParkUndeliverable,
				saga.ParkContradiction, saga.ParkUnsignalled, saga.ParkCondition,
			} {
				st.Status, st.Steps = status, []saga.StepState{{Park: park}}
				st.Failure = &saga.Failure{Step: "payment", Class: class, Problem: problem}
				event, err := protocol.EventMessage("trips", st, saga.EmitEvent{Kind: kind, Detail: "why", Problem: problem})
				require.NoError(t, err)
				all["event"] = append(all["event"], event)
			}
		}
	}
	return all
}

// Whatever the project sends fits its schema, and has the members that stand there: all headers,
// as they are required, and all members of the bodies.
func TestSchemasAreThoseOfTheMessages(t *testing.T) {
	t.Parallel()
	for name, messages := range fullest(t) {
		compiled, defs := schematest.Compile(t, name), schematest.Document(t, name)["$defs"].(map[string]any)
		headers := map[string]bool{}
		bodies := map[string]bool{}
		for _, m := range messages {
			requireFits(t, compiled, wire(m))
			for header := range m.Headers {
				headers[header] = true
			}
			var body map[string]any
			require.NoError(t, json.Unmarshal(m.Payload, &body))
			for member := range body {
				bodies[member] = true
			}
		}
		required := texts(defs["headers"].(map[string]any)["required"])
		if delete(headers, protocol.HeaderSagaTimeout); name == "command" { // of some commands
			require.Contains(t, members(defs, "headers"), protocol.HeaderSagaTimeout)
		}
		require.ElementsMatch(t, slices.Collect(maps.Keys(headers)), required, name)
		for header := range members(defs, "headers") {
			known := slices.Contains(required, header) || strings.HasPrefix(header, "trace") ||
				slices.Contains([]string{protocol.HeaderSagaTimeout, "cloudEvents_specversion", "cloudEvents_id", "cloudEvents_source", "cloudEvents_type"}, header)
			require.True(t, known, "%s: nobody writes %s", name, header)
		}
		if name == "reply" { // an output is anything
			continue
		}
		described := members(defs, "body")
		if name == "instruction" {
			maps.Copy(described, members(defs, "start"))
			maps.Copy(described, members(defs, "signal"))
		}
		require.ElementsMatch(t, slices.Collect(maps.Keys(bodies)), slices.Collect(maps.Keys(described)), name)
	}
}

func members(defs map[string]any, part string) map[string]any {
	properties := defs[part].(map[string]any)["properties"].(map[string]any)
	return maps.Clone(properties)
}

func texts(list any) (all []string) {
	for _, v := range list.([]any) {
		all = append(all, v.(string))
	}
	return all
}

// Which outcome answers which operation, the schema knows as the reader does.
func TestSchemaKnowsWhatAnswersWhat(t *testing.T) {
	t.Parallel()
	schema := schematest.Compile(t, "reply")
	for _, m := range fullest(t)["reply"] {
		for _, outcome := range []saga.Outcome{
			saga.OutcomeSucceeded, saga.OutcomeConfirmed, saga.OutcomeCompensated, saga.OutcomeFailed, saga.OutcomeRetry,
		} {
			d := wire(m)
			d.Headers[protocol.HeaderSagaOutcome] = string(outcome)
			message, ok := asMessage(t, d)
			require.True(t, ok)
			answers := outcome.Answers(saga.Operation(d.Headers[protocol.HeaderSagaOp]))
			require.Equal(t, answers, schema.Validate(message) == nil, "%s to %s", outcome, d.Headers[protocol.HeaderSagaOp])
		}
	}
}

// What a schema asks for beyond what the reader insists on: it is for the author of a definition.
func TestSchemasAreForWriters(t *testing.T) {
	t.Parallel()
	body := schematest.CompilePart(t, "event", "#/$defs/body")
	event := func(rest string) any {
		return schematest.Value(t, []byte(`{"sagaId": "0199a000-0000-7000-8000-000000000001", "type": "trip", `+rest+`}`))
	}
	require.NoError(t, body.Validate(event(`"status": "PARKED", "parkReason": "refused"`)))
	require.Error(t, body.Validate(event(`"status": "ABORTED", "parkReason": "refused"`)), "only what is parked has a reason to be")
	require.Error(t, body.Validate(event(`"status": "PARKED", "parkReason": "bored"`)))
	require.Error(t, body.Validate(event(`"status": "DONE"`)))
	problem := schematest.CompilePart(t, "reply", "#/$defs/problem")
	require.NoError(t, problem.Validate(schematest.Value(t, []byte(`{"title": "No", "status": 409}`))))
	require.Error(t, problem.Validate(schematest.Value(t, []byte(`{"title": 7}`))), "it would be ignored")
}

// The bodies that docs/protocol.md shows fit as well.
func TestSchemasTakeTheDocumentedBodies(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/protocol.md")
	require.NoError(t, err)
	for begin, schema := range map[string]*jsonschema.Schema{
		"{\n  \"sagaId\": ":          schematest.CompilePart(t, "event", "#/$defs/body"),
		`{"type": "urn:problem:`:     schematest.CompilePart(t, "reply", "#/$defs/problem"),
		`{"payload": {"roomId"`:      schematest.CompilePart(t, "command", "#/$defs/body"),
		`{"key": "R-4711", "payload`: schematest.CompilePart(t, "instruction", "#/$defs/start"),
	} {
		_, rest, found := strings.Cut(string(page), "\n"+begin)
		if !found {
			_, rest, found = strings.Cut(string(page), "\n  "+begin)
		}
		require.True(t, found, begin)
		var body json.RawMessage
		require.NoError(t, json.NewDecoder(strings.NewReader(begin+rest)).Decode(&body), begin)
		require.NoError(t, schema.Validate(schematest.Value(t, body)), "%s", body)
	}
}
