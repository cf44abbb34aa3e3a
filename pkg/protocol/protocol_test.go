package protocol_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// wire is what a relay and a broker make of a message.
func wire(m outbox.Message) inbox.Delivery {
	return inbox.Delivery{
		MessageID: m.ID.String(), CorrelationID: m.CorrelationID, Type: m.Type, ReplyTo: m.ReplyTo,
		ContentType: m.ContentType, Exchange: m.Exchange, RoutingKey: m.RoutingKey,
		Headers: maps.Clone(m.Headers), Body: m.Payload,
	}
}

var sagaID = saga.ID(uuid.MustParse("0199a000-0000-7000-8000-000000000001"))

func object(t require.TestingT, text string) jsonmap.JSONMap {
	m, err := jsonmap.Parse([]byte(text))
	require.NoError(t, err)
	return m
}

func sampleState(t require.TestingT) saga.State {
	return saga.State{
		ID: sagaID, Type: "room-reservation", Status: saga.StatusStarted, Version: 3, BusinessKey: "r-1",
		Payload: object(t, `{"roomId":1,"paymentDue":9007199254740993}`),
		Outputs: object(t, `{"room-booking":{"bookingId":"b-1"}}`),
	}
}

func sampleCommand(t require.TestingT) outbox.Message {
	st := sampleState(t)
	m, err := protocol.CommandMessage("trips", st, saga.SendCommand{
		Step: "payment", Operation: saga.Request, Attempt: 2, Destination: "payment",
		Payload: st.Payload, Outputs: st.Outputs,
	})
	require.NoError(t, err)
	return m
}

func decoded(t require.TestingT, m outbox.Message) protocol.Command {
	cmd, err := protocol.DecodeCommand(wire(m))
	require.NoError(t, err)
	return cmd
}

func TestCommandOnTheWire(t *testing.T) {
	t.Parallel()
	m := sampleCommand(t)
	body := m.Payload
	m.Payload = nil
	require.Equal(t, outbox.Message{
		ID:            protocol.CommandID(sagaID, "payment", saga.Request, 2),
		AggregateType: "room-reservation", AggregateID: "0199a000-0000-7000-8000-000000000001",
		Type: "payment.REQUEST", Exchange: "saga.commands", RoutingKey: "payment",
		CorrelationID: "0199a000-0000-7000-8000-000000000001", ReplyTo: "saga.replies.trips",
		ContentType: "application/json",
		Headers: map[string]string{
			"cloudEvents_sagaid":      "0199a000-0000-7000-8000-000000000001",
			"cloudEvents_sagatype":    "room-reservation",
			"cloudEvents_sagastep":    "payment",
			"cloudEvents_sagaop":      "REQUEST",
			"cloudEvents_sagaattempt": "2",
			"cloudEvents_sagakey":     "0199a000-0000-7000-8000-000000000001/payment/REQUEST",
		},
	}, m)
	require.JSONEq(t, `{"payload":{"roomId":1,"paymentDue":9007199254740993},
		"outputs":{"room-booking":{"bookingId":"b-1"}}}`, string(body))
	require.Contains(t, string(body), "9007199254740993", "a number beyond 2^53 stays what it is")
}

// The derivation is part of the protocol: another version of this program must
// come to the same ids.
func TestIDsNeverChange(t *testing.T) {
	t.Parallel()
	require.Equal(t, "43061f5e-f0f7-5981-a54b-a2072138b81b", protocol.Namespace.String())
	command := protocol.CommandID(sagaID, "payment", saga.Request, 1)
	require.Equal(t, uuid.NewSHA1(protocol.Namespace,
		[]byte("0199a000-0000-7000-8000-000000000001/payment/REQUEST/1")), command)
	require.Equal(t, "aff9204e-5f9e-5a77-917f-5d8596525ea2", command.String(), "as docs/protocol.md shows it")
	require.Equal(t, uuid.NewSHA1(command, []byte("reply/succeeded")), protocol.ReplyID(command, saga.OutcomeSucceeded))
	require.Equal(t, uuid.NewSHA1(protocol.Namespace, []byte("0199a000-0000-7000-8000-000000000001/parked/7")),
		protocol.EventID(sagaID, saga.EventParked, 7))
}

func TestReplyOnTheWire(t *testing.T) {
	t.Parallel()
	cmd := decoded(t, sampleCommand(t))
	for name, c := range map[string]struct {
		op          saga.Operation
		reply       protocol.Reply
		contentType string
		body        string
	}{
		"succeeded": {saga.Request, protocol.Reply{Outcome: saga.OutcomeSucceeded, Output: object(t, `{"a":1}`)}, "application/json", `{"a":1}`},
		"no output": {saga.Request, protocol.Reply{Outcome: saga.OutcomeSucceeded}, "application/json", `{}`},
		"failed": {
			saga.Request,
			protocol.Reply{Outcome: saga.OutcomeFailed, Problem: saga.Problem{Type: "urn:declined", Title: "Declined", Detail: "a\x00b\xff"}},
			"application/problem+json", `{"type":"urn:declined","title":"Declined","detail":"a` + "\uFFFDb\uFFFD" + `"}`,
		},
		"confirmed":   {saga.Confirm, protocol.Reply{Outcome: saga.OutcomeConfirmed}, "application/json", `{}`},
		"unconfirmed": {saga.Confirm, protocol.Reply{Outcome: saga.OutcomeFailed, Problem: saga.Problem{Title: "No"}}, "application/problem+json", `{"title":"No"}`},
		"retry":       {saga.Cancel, protocol.Reply{Outcome: saga.OutcomeRetry, Problem: saga.Problem{Title: "later"}}, "application/problem+json", `{"title":"later"}`},
		"compensated": {saga.Cancel, protocol.Reply{Outcome: saga.OutcomeCompensated}, "application/json", `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := cmd
			cmd.Operation = c.op
			m, err := protocol.ReplyMessage(cmd, c.reply)
			require.NoError(t, err)
			require.Empty(t, m.Exchange)
			require.Equal(t, "saga.replies.trips", m.RoutingKey)
			require.Equal(t, "payment."+string(c.op)+"."+string(c.reply.Outcome), m.Type)
			require.Equal(t, string(c.reply.Outcome), m.Headers["cloudEvents_sagaoutcome"])
			require.Equal(t, cmd.Key(), m.Headers["cloudEvents_sagakey"])
			require.Equal(t, c.contentType, m.ContentType)
			require.JSONEq(t, c.body, string(m.Payload))
			_, _, err = protocol.DecodeReply(wire(m))
			require.NoError(t, err)
		})
	}
}

func TestReplyMessageRefusesAForeignOutcome(t *testing.T) {
	t.Parallel()
	cmd := decoded(t, sampleCommand(t))
	own := map[saga.Operation]saga.Outcome{
		saga.Request: saga.OutcomeSucceeded, saga.Confirm: saga.OutcomeConfirmed, saga.Cancel: saga.OutcomeCompensated,
	}
	for op := range own {
		for another, outcome := range own {
			cmd.Operation = op
			_, err := protocol.ReplyMessage(cmd, protocol.Reply{Outcome: outcome})
			if op == another {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, "no answer to "+string(op))
			}
		}
	}
}

func TestEventRoundTrip(t *testing.T) {
	t.Parallel()
	st := sampleState(t)
	st.Status = saga.StatusAborted
	st.Failure = &saga.Failure{Step: "payment", Class: saga.FailureRefused, Problem: saga.Problem{Title: "Declined"}}
	m, err := protocol.EventMessage("trips", st, saga.EmitEvent{Kind: saga.EventAborted})
	require.NoError(t, err)
	require.Equal(t, "saga.events", m.Exchange)
	require.Equal(t, "trips.room-reservation.aborted", m.RoutingKey)
	require.Equal(t, "room-reservation.aborted", m.Type)

	e, err := protocol.DecodeEvent(wire(m))
	require.NoError(t, err)
	require.Equal(t, protocol.Event{
		MessageID: m.ID, SagaID: sagaID, SagaType: "room-reservation", Kind: saga.EventAborted,
		Status: saga.StatusAborted, BusinessKey: "r-1", Failure: st.Failure, Payload: st.Payload, Outputs: st.Outputs,
	}, e)

	_, err = protocol.EventMessage("trips", st, saga.EmitEvent{Kind: saga.EventCompleted})
	require.ErrorContains(t, err, "is not completed")
}

// Each reason is told, of the first step that is parked; an operator who kills the
// saga ends the waiting.
func TestEventsOfAParkedSaga(t *testing.T) {
	t.Parallel()
	for _, reason := range []saga.ParkReason{
		saga.ParkExhausted, saga.ParkRefused, saga.ParkUnavailable, saga.ParkUndeliverable, saga.ParkContradiction, saga.ParkUnsignalled, saga.ParkCondition,
	} {
		st := sampleState(t)
		st.Status = saga.StatusParked
		st.Steps = []saga.StepState{{Name: "a", Status: saga.StepSucceeded}, {Name: "b", Park: reason}, {Name: "c", Park: "another"}}
		why := saga.EmitEvent{Kind: saga.EventParked, Detail: "it is so", Problem: saga.Problem{Type: "urn:p", Title: "No"}}
		parked := event(t, st, why)
		require.Equal(t, reason, parked.ParkReason)
		require.Equal(t, []any{why.Detail, why.Problem}, []any{parked.Detail, parked.Problem})

		st.Status = saga.StatusKilled
		st.Version++
		killed := event(t, st, saga.EmitEvent{Kind: saga.EventKilled})
		require.Equal(t, saga.StatusKilled, killed.Status)
		require.Empty(t, killed.ParkReason)
		require.NotEqual(t, parked.MessageID, killed.MessageID)
	}
}

// event is what a listener gets.
func event(t *testing.T, st saga.State, emit saga.EmitEvent) protocol.Event {
	t.Helper()
	m, err := protocol.EventMessage("trips", st, emit)
	require.NoError(t, err)
	require.Equal(t, "trips.room-reservation."+string(emit.Kind), m.RoutingKey)
	e, err := protocol.DecodeEvent(wire(m))
	require.NoError(t, err)
	require.Equal(t, emit.Kind, e.Kind)
	return e
}

// What the definition has the step sent is what goes out, and nothing else.
func TestACommandCarriesWhatItsStepIsSent(t *testing.T) {
	t.Parallel()
	m, err := protocol.CommandMessage("trips", sampleState(t), saga.SendCommand{
		Step: "payment", Operation: saga.Confirm, Attempt: 1, Destination: "payment",
		Payload: object(t, `{"amount": 12}`),
	})
	require.NoError(t, err)
	require.JSONEq(t, `{"payload": {"amount": 12}, "outputs": {}}`, string(m.Payload))
	require.Equal(t, "payment.CONFIRM", m.Type)
	require.Equal(t, "0199a000-0000-7000-8000-000000000001/payment/CONFIRM", m.Headers["cloudEvents_sagakey"])
}

// Whatever a saga can hold arrives as it was sent.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	name := rapid.StringMatching(`[a-z][a-z0-9-]{0,30}`)
	text := rapid.String()
	objects := rapid.Custom(func(t *rapid.T) jsonmap.JSONMap {
		raw, err := json.Marshal(map[string]any{
			"n": rapid.Int64().Draw(t, "n"), "s": printable(text.Draw(t, "s")),
			"nested": map[string]any{name.Draw(t, "k"): []any{true, nil, "x"}},
		})
		require.NoError(t, err)
		return object(t, string(raw))
	})
	rapid.Check(t, func(t *rapid.T) {
		var id saga.ID
		copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		id[0] |= 1 // the nil UUID is no saga
		st := saga.State{ID: id, Type: name.Draw(t, "type")}
		send := saga.SendCommand{
			Payload: objects.Draw(t, "payload"),
			Outputs: jsonmap.JSONMap{"first": map[string]any(objects.Draw(t, "output"))},
			Step:    name.Draw(t, "step"), Destination: name.Draw(t, "destination"),
			Operation: rapid.SampledFrom([]saga.Operation{saga.Request, saga.Confirm, saga.Cancel}).Draw(t, "op"),
			Attempt:   rapid.IntRange(1, 1<<31-1).Draw(t, "attempt"),
		}
		m, err := protocol.CommandMessage("trips", st, send)
		require.NoError(t, err)
		cmd, err := protocol.DecodeCommand(wire(m))
		require.NoError(t, err)
		require.Equal(t, protocol.Command{
			MessageID: m.ID, SagaID: id, SagaType: st.Type, Step: send.Step, Operation: send.Operation,
			Attempt: send.Attempt, ReplyTo: protocol.ReplyQueue("trips"), Payload: send.Payload, Outputs: cmd.Outputs,
		}, cmd)
		require.Equal(t, marshal(t, send.Outputs), marshal(t, cmd.Outputs))

		reply := protocol.Reply{Outcome: saga.OutcomeCompensated}
		switch send.Operation {
		case saga.Request:
			reply = protocol.Reply{Outcome: saga.OutcomeSucceeded, Output: objects.Draw(t, "reply")}
		case saga.Confirm:
			reply.Outcome = saga.OutcomeConfirmed
		case saga.Cancel:
		}
		if rapid.Bool().Draw(t, "no") {
			reply = protocol.Reply{Outcome: saga.OutcomeFailed, Problem: saga.Problem{Title: printable(text.Draw(t, "title"))}}
		}
		m, err = protocol.ReplyMessage(cmd, reply)
		require.NoError(t, err)
		got, back, err := protocol.DecodeReply(wire(m))
		require.NoError(t, err)
		require.Equal(t, id, got)
		require.Equal(t, saga.Reply{
			Step: send.Step, Operation: send.Operation, Attempt: send.Attempt, Outcome: reply.Outcome,
			Output: reply.Output, Problem: reply.Problem, MessageID: m.ID.String(),
		}, back)
	})
}

// printable drops what jsonb cannot store.
func printable(s string) string {
	out := make([]rune, 0, len(s))
	for _, r := range s {
		if r != 0 {
			out = append(out, r)
		}
	}
	return string(out)
}

func marshal(t require.TestingT, v any) string {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}
