package protocol_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

func sampleStart(t require.TestingT) outbox.Message {
	m, err := protocol.InstructionMessage("reservation", protocol.Instruction{
		Type: "room-reservation", BusinessKey: "R-1", Payload: object(t, `{"roomId": 1, "big": 9007199254740993, "none": null}`),
	})
	require.NoError(t, err)
	m.ID = uuid.UUID(sagaID)
	return m
}

func sampleSignal(t require.TestingT) outbox.Message {
	m, err := protocol.InstructionMessage("reservation", protocol.Instruction{
		Type: "room-reservation", BusinessKey: "R-1",
		Signal: &saga.Signalled{Step: "approval", Refused: true, Output: object(t, `{"by": "ada"}`), Reason: "no credit", Who: "ada"},
	})
	require.NoError(t, err)
	m.ID = uuid.UUID(sagaID)
	return m
}

func TestInstructionsOnTheWire(t *testing.T) {
	t.Parallel()
	start := sampleStart(t)
	require.Equal(t, map[string]string{"cloudEvents_sagatype": "room-reservation", "cloudEvents_sagaop": "START"}, start.Headers)
	require.Equal(t, []string{"", "saga.replies.reservation", "room-reservation", "R-1", "room-reservation.START"},
		[]string{start.Exchange, start.RoutingKey, start.AggregateType, start.AggregateID, start.Type})
	require.JSONEq(t, `{"key": "R-1", "payload": {"roomId": 1, "big": 9007199254740993, "none": null}}`, string(start.Payload))
	read, err := protocol.DecodeInstruction(wire(start))
	require.NoError(t, err)
	require.Equal(t, protocol.Instruction{
		Type: "room-reservation", BusinessKey: "R-1", Payload: object(t, `{"roomId": 1, "big": 9007199254740993, "none": null}`),
	}, read)

	read, err = protocol.DecodeInstruction(wire(sampleSignal(t)))
	require.NoError(t, err)
	require.Equal(t, protocol.Instruction{
		Type: "room-reservation", BusinessKey: "R-1",
		Signal: &saga.Signalled{Step: "approval", Refused: true, Output: jsonmap.JSONMap{"by": "ada"}, Reason: "no credit", Who: "ada"},
	}, read)
	require.True(t, protocol.IsInstruction(wire(start)))
	require.False(t, protocol.IsInstruction(wire(sampleCommand(t))))
}

func TestInstructionMessageRefuses(t *testing.T) {
	t.Parallel()
	for _, i := range []protocol.Instruction{
		{Type: "trip"},
		{BusinessKey: "a"},
		{Type: "trip", BusinessKey: strings.Repeat("k", 256)},
		{Type: "trip", BusinessKey: "a", Signal: &saga.Signalled{}},
		{Type: "trip", BusinessKey: "a", Payload: jsonmap.JSONMap{"x": strings.Repeat("x", protocol.MaxContent)}},
	} {
		_, err := protocol.InstructionMessage("trips", i)
		require.Error(t, err)
	}
}

func TestDecodeInstructionRefuses(t *testing.T) {
	t.Parallel()
	// Clipped, because two tests that run side by side append to it.
	common := slices.Clip(append(bodyDamages(),
		damage{"no message id", func(d *inbox.Delivery) { d.MessageID = "" }, "message_id"},
		damage{"no type", drop("cloudEvents_sagatype"), "cloudEvents_sagatype"},
		damage{"type with NUL", set("cloudEvents_sagatype", "a\x00b"), "cloudEvents_sagatype"},
		damage{"no operation", drop("cloudEvents_sagaop"), "cloudEvents_sagaop"},
		damage{"operation in lower case", set("cloudEvents_sagaop", "start"), "cloudEvents_sagaop"},
		damage{"no key", body(`{"step": "approval"}`), "key"},
		damage{"key empty", body(`{"key": "", "step": "approval"}`), "key"},
		damage{"key a number", body(`{"key": 7, "step": "approval"}`), "body"},
		damage{"key too long", body(`{"key": "` + strings.Repeat("k", 256) + `", "step": "approval"}`), "key"},
	))
	decode := func(d inbox.Delivery) error { _, err := protocol.DecodeInstruction(d); return err }
	t.Run("START", func(t *testing.T) {
		t.Parallel()
		check(t, "instruction", func() inbox.Delivery { return wire(sampleStart(t)) }, decode, append(common,
			damage{"payload a list", body(`{"key": "a", "payload": []}`), "body"},
			damage{"payload too large", body(`{"key": "a", "payload": {"x": "` + strings.Repeat("x", protocol.MaxContent) + `"}}`), "body"})...)
	})
	t.Run("SIGNAL", func(t *testing.T) {
		t.Parallel()
		check(t, "instruction", func() inbox.Delivery { return wire(sampleSignal(t)) }, decode, append(common,
			damage{"no step", body(`{"key": "a"}`), "step"},
			damage{"output a string", body(`{"key": "a", "step": "b", "output": "c"}`), "body"},
			damage{"refused a string", body(`{"key": "a", "step": "b", "refused": "no"}`), "body"})...)
	})
}

func FuzzDecodeInstruction(f *testing.F) {
	for _, m := range []outbox.Message{sampleStart(f), sampleSignal(f)} {
		f.Add(m.Payload, "m-1", m.ContentType, m.Headers["cloudEvents_sagaop"], "trip")
	}
	f.Fuzz(func(t *testing.T, body []byte, id, contentType, op, kind string) {
		i, err := protocol.DecodeInstruction(inbox.Delivery{
			MessageID: id, ContentType: contentType, Body: body,
			Headers: map[string]string{"cloudEvents_sagaop": op, "cloudEvents_sagatype": kind},
		})
		var why *protocol.DecodeError
		if err != nil {
			if !errors.As(err, &why) || why.Field == "" || why.Reason == "" {
				t.Fatalf("not a DecodeError: %v", err)
			}
			return
		}
		texts := []string{i.Type, i.BusinessKey}
		if i.Signal != nil {
			texts = append(texts, i.Signal.Step, i.Signal.Who, i.Signal.Reason)
		}
		for _, s := range texts {
			if !utf8.ValidString(s) || strings.Contains(s, "\x00") {
				t.Fatalf("PostgreSQL cannot store %q", s)
			}
		}
	})
}
