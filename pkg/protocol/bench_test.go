package protocol_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// What a message costs on each side of a queue, with the bodies of the sample.
func BenchmarkMessages(b *testing.B) {
	id := saga.ID(uuid.MustParse("0199a000-0000-7000-8000-000000000001"))
	payload := jsonmap.JSONMap{
		"reservationId": "0199a000-0000-7000-8000-000000000002", "hotelId": int64(2), "roomId": int64(417), "guestId": "guest-416",
		"startDate": "2030-01-01", "endDate": "2030-01-02", "paymentDue": int64(49900),
		"cardToken": "tok_0199a000-0000-7000-8000-000000000003", "cardLast4": "1111",
	}
	output := jsonmap.JSONMap{"bookingId": "0199a000-0000-7000-8000-000000000004"}
	st := saga.State{ID: id, Type: "room-reservation", Status: saga.StatusCompleted, Payload: payload, Outputs: jsonmap.JSONMap{"room-booking": output}}
	send := saga.SendCommand{
		Step: "room-booking", Operation: saga.Request, Attempt: 1, Destination: "room-booking", Payload: payload,
	}
	command, err := protocol.CommandMessage("trips", st, send)
	require.NoError(b, err)
	cmd, err := protocol.DecodeCommand(wire(command))
	require.NoError(b, err)
	answer := protocol.Reply{Outcome: saga.OutcomeSucceeded, Output: output}
	reply, err := protocol.ReplyMessage(cmd, answer)
	require.NoError(b, err)
	event, err := protocol.EventMessage("trips", st, saga.EmitEvent{Kind: saga.EventCompleted})
	require.NoError(b, err)

	run := func(name string, do func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	made := func(_ outbox.Message, err error) error { return err }
	run("CommandMessage", func() error { return made(protocol.CommandMessage("trips", st, send)) })
	run("DecodeCommand", func() error { _, err := protocol.DecodeCommand(wire(command)); return err })
	run("ReplyMessage", func() error { return made(protocol.ReplyMessage(cmd, answer)) })
	run("DecodeReply", func() error { _, _, err := protocol.DecodeReply(wire(reply)); return err })
	run("EventMessage", func() error {
		return made(protocol.EventMessage("trips", st, saga.EmitEvent{Kind: saga.EventCompleted}))
	})
	run("DecodeEvent", func() error { _, err := protocol.DecodeEvent(wire(event)); return err })
}
