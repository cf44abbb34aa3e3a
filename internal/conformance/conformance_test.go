package conformance

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

func subject() Subject {
	return Subject{Destination: "till", Step: "work", Payload: jsonmap.JSONMap{"n": 1}}
}

// Each check names a heading that docs/protocol.md has.
func TestRulesAreInThePage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/protocol.md")
	require.NoError(t, err)
	names := map[string]bool{}
	for _, c := range append(Checks(), Replies) {
		require.Contains(t, string(page), "\n## "+c.Rule+"\n", c.Name)
		require.False(t, names[c.Name], "two checks are called %s", c.Name)
		names[c.Name] = true
	}
}

// What is sent is a command of the protocol, and what has a flaw is none.
func TestMessages(t *testing.T) {
	t.Parallel()
	id := saga.ID(uuid.MustParse("0199a000-0000-7000-8000-00000000000a"))
	made := 0
	for _, c := range Checks() {
		for _, round := range c.Rounds {
			for _, command := range round {
				d, err := subject().Message("conformance-1", id, command)
				require.NoError(t, err)
				cmd, err := protocol.DecodeCommand(d)
				if command.Flaw != nil {
					require.Error(t, err, command.Flaw.Name)
					continue
				}
				require.NoError(t, err)
				require.Equal(t, command.Attempt, cmd.Attempt)
				require.Equal(t, "saga.replies.conformance-1", cmd.ReplyTo)
				made++
			}
		}
	}
	require.Greater(t, made, 250)
	d, err := subject().Message("conformance-1", id, request(0).of(Largest))
	require.NoError(t, err)
	size, err := jsonmap.Size(d.Body)
	require.NoError(t, err)
	require.Equal(t, protocol.MaxContent, size)
	tooLarge := subject()
	tooLarge.Payload = jsonmap.JSONMap{"a": strings.Repeat("a", protocol.MaxContent)}
	_, err = tooLarge.Message("conformance-1", id, request(0))
	require.ErrorContains(t, err, "983040")
}

func TestNumbersAreComparedByWhatTheyAre(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{`{"a": [1, {"b": null}]}`, `{"a":[1.0,{"b":null}]}`, true},
		{`{"a": 100}`, `{"a": 1E2}`, true},
		{`{"a": 0.0}`, `{"a": -0}`, true},
		{`{"a": -0.0120}`, `{"a": -12e-3}`, true},
		{`{"a": 9007199254740993}`, `{"a": 9007199254740992}`, false},
		{`{"a": 1}`, `{"a": "1"}`, false},
		{`{"a": 1}`, `{"a": 1, "b": 2}`, false},
		{`{"a": [1, 2]}`, `{"a": [2, 1]}`, false},
		{`{"a": 1e400}`, `{"a": 1e401}`, false},
		{`{"a": true}`, `{"a": false}`, false},
	} {
		var a, b jsonmap.JSONMap
		require.NoError(t, json.Unmarshal([]byte(c.a), &a))
		require.NoError(t, json.Unmarshal([]byte(c.b), &b))
		require.Equal(t, c.same, Equal(a, b), "%s and %s", c.a, c.b)
	}
}

// A reply finds its command also where part of what it says is wrong, and says what is.
func TestRepliesFindTheirCommands(t *testing.T) {
	t.Parallel()
	var sent []*Sent
	for _, c := range []Command{request(0), request(0).try(2), cancel(0), request(1)} {
		id := saga.ID(uuid.MustParse("0199a000-0000-7000-8000-00000000000" + string(rune('a'+c.Saga))))
		d, err := subject().Message("conformance-1", id, c)
		require.NoError(t, err)
		sent = append(sent, &Sent{Command: c, Saga: id, Message: d})
	}
	for i, s := range sent {
		cmd, err := protocol.DecodeCommand(s.Message)
		require.NoError(t, err)
		outcome := saga.OutcomeSucceeded
		if s.Operation == saga.Cancel {
			outcome = saga.OutcomeCompensated
		}
		m, err := protocol.ReplyMessage(cmd, protocol.Reply{Outcome: outcome})
		require.NoError(t, err)
		d := s.Message
		d.MessageID, d.Headers, d.Body, d.ContentType = m.ID.String(), m.Headers, m.Payload, m.ContentType
		require.Same(t, s, Find(sent, d), "%d", i)
		require.Empty(t, s.Read(d).Breaks)
		d.Headers[protocol.HeaderSagaKey] = "x"
		require.Same(t, s, Find(sent, d), "%d", i)
		require.NotEmpty(t, s.Read(d).Breaks)
		delete(d.Headers, protocol.HeaderSagaID)
		require.Same(t, s, Find(sent, d), "%d: by the correlation id", i)
		d.CorrelationID = ""
		require.Nil(t, Find(sent, d))
	}
}
