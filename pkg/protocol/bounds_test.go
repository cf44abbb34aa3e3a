package protocol_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// full is a state whose command is as large as it may be, and whose other texts are
// as long as they can get and made of characters that JSON has to escape.
func full(t *testing.T, status saga.Status) saga.State {
	t.Helper()
	long := strings.Repeat("\x01", 1<<20)
	st := saga.State{
		ID: sagaID, Type: strings.Repeat("t", 63), Status: status, Version: 9,
		BusinessKey: strings.Repeat("\x01", protocol.MaxText), Steps: []saga.StepState{{Park: saga.ParkContradiction}},
		Failure: &saga.Failure{
			Step: strings.Repeat("s", 63), Class: saga.FailureRefused,
			Problem: saga.Problem{Type: long, Title: long, Detail: long},
		},
		Payload: jsonmap.JSONMap{"pad": ""},
	}
	size, err := jsonmap.Size(commandOf(t, st).Payload)
	require.NoError(t, err)
	st.Payload = jsonmap.JSONMap{"pad": strings.Repeat("x", protocol.MaxContent-size)}
	return st
}

// send is a command with all that the saga has.
func send(st saga.State) saga.SendCommand {
	return saga.SendCommand{
		Step: "payment", Operation: saga.Cancel, Attempt: 1, Destination: "payment",
		Payload: st.Payload, Outputs: st.Outputs,
	}
}

func commandOf(t *testing.T, st saga.State) outbox.Message {
	t.Helper()
	m, err := protocol.CommandMessage("trips", st, send(st))
	require.NoError(t, err)
	return m
}

// Whatever a saga carries, if it could be sent in a command then its end can be told.
func TestEverySagaThatCouldBeginCanTellItsEnd(t *testing.T) {
	t.Parallel()
	for kind, status := range map[saga.EventKind]saga.Status{
		saga.EventCompleted: saga.StatusCompleted, saga.EventAborted: saga.StatusAborted,
		saga.EventParked: saga.StatusParked, saga.EventKilled: saga.StatusKilled,
	} {
		st := full(t, status)
		long := strings.Repeat("\x01", 2*protocol.MaxProblemText) // each byte is six in JSON
		m, err := protocol.EventMessage("trips", st, saga.EmitEvent{Kind: kind, Detail: long, Problem: saga.Problem{Type: long, Title: long, Detail: long}})
		require.NoError(t, err)
		require.NoError(t, outbox.Validate(m), kind)

		st.Payload["one"] = "more"
		_, err = protocol.CommandMessage("trips", st, send(st))
		require.ErrorContains(t, err, "payload and outputs")
	}
}

// A text that is too long is told up to its bound, at a character's end.
func TestProblemsAreCut(t *testing.T) {
	t.Parallel()
	cmd := decoded(t, sampleCommand(t))
	for _, letter := range []string{"x", "ü", "€", "𝄞"} {
		long := saga.Problem{Type: "urn:x", Title: strings.Repeat(letter, protocol.MaxProblemText/len(letter)), Detail: strings.Repeat(letter, 1<<20)}
		m, err := protocol.ReplyMessage(cmd, protocol.Reply{Outcome: saga.OutcomeFailed, Problem: long})
		require.NoError(t, err)
		require.NoError(t, outbox.Validate(m))
		_, reply, err := protocol.DecodeReply(wire(m))
		require.NoError(t, err)
		require.Equal(t, "urn:x", reply.Problem.Type)
		require.LessOrEqual(t, len(reply.Problem.Detail), protocol.MaxProblemText)
		require.Greater(t, len(reply.Problem.Detail), protocol.MaxProblemText-8)
		require.True(t, utf8.ValidString(reply.Problem.Detail))
		require.True(t, strings.HasSuffix(reply.Problem.Detail, "…"))
		require.Equal(t, long.Title, reply.Problem.Title)

		// Also when a participant in another language does not cut it.
		foreign := wire(m)
		foreign.Body = []byte(`{"detail": "` + strings.Repeat("x", 1<<19) + `"}`)
		_, reply, err = protocol.DecodeReply(foreign)
		require.NoError(t, err)
		require.Len(t, reply.Problem.Detail, protocol.MaxProblemText)
	}
}
