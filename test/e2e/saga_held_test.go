package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// impatient sagas would abort within two seconds if a command counted that never left.
const impatient = `
name: trip
version: 1
steps:
  - name: hotel
    request: {timeout: 500ms, retry: {initial: 100ms, max: 100ms, attempts: 3}}
  - name: payment
    request: {timeout: 500ms, retry: {initial: 100ms, max: 100ms, attempts: 3}}
`

// heldFor waits until the saga has been held for far longer than all its attempts last,
// and been looked at again and again.
func (s *stage) heldFor(reason string) {
	s.Helper()
	until(s.T, reason, func() bool {
		return len(s.texts(s.sagas, `SELECT why FROM saga_stuck WHERE id = $1 AND since > '12 seconds' AND why = '`+reason+`'`)) == 1
	})
	require.Equal(s, string(saga.StatusStarted), s.status())
	var entries []string
	for _, sentence := range s.timeline() {
		if strings.Contains(sentence, reason) {
			entries = append(entries, sentence)
		}
	}
	require.Len(s, entries, 1, "the history is not filled with looks")
}

// well holds that the saga ended as if nothing had happened, by its first attempts.
func (s *stage) well() {
	s.Helper()
	until(s.T, "the end", func() bool { return s.status() == string(saga.StatusCompleted) })
	require.Equal(s, "hotel REQUEST, payment REQUEST", s.done())
	for _, step := range []string{"hotel", "payment"} {
		require.Len(s, s.texts(s.sagas, `SELECT 'sent' FROM saga_history WHERE saga_id = $1 AND sent @> ARRAY['REQUEST `+step+` #1']`), 1)
		require.Empty(s, s.texts(s.sagas, `SELECT 'sent' FROM saga_history WHERE saga_id = $1 AND sent @> ARRAY['REQUEST `+step+` #2']`))
	}
}

// While the relay is away no attempt is spent; when it is back, the saga goes on.
func TestSagaWaitsForTheRelay(t *testing.T) {
	t.Parallel()
	s := set(t, impatient)
	until(s.T, "the relay at work", func() bool {
		return len(s.texts(s.sagas, `SELECT holder FROM outbox_position WHERE holder IS NOT NULL AND $1::uuid IS NOT NULL`)) == 1
	})
	s.relayStops()
	s.begin(nil)
	s.heldFor("waits for the relay")
	s.relayStops = s.relay()
	s.well()
}

// A participant that is not deployed yet: its command is parked until its queue is there.
func TestSagaWaitsForAQueue(t *testing.T) {
	t.Parallel()
	s := set(t, impatient)
	queue := protocol.CommandQueue("payment")
	require.NoError(t, s.post.channel.QueueUnbind(queue, "payment", protocol.ExchangeCommands, nil))
	s.begin(nil)
	s.heldFor("waits behind a parked message: unroutable")
	require.NoError(t, s.post.channel.QueueBind(queue, "payment", protocol.ExchangeCommands, false, nil))
	s.well()
}

// A participant that is away: its command lies in its queue, alone, until it is back.
func TestSagaWaitsForAConsumer(t *testing.T) {
	t.Parallel()
	s := set(t, impatient)
	queue := protocol.CommandQueue("payment")
	require.NoError(t, s.post.channel.Cancel(queue, false))
	s.begin(nil)
	s.heldFor("waits for a consumer of " + queue)
	lies, err := s.post.channel.QueueDeclarePassive(queue, true, false, false, false, nil)
	require.NoError(t, err)
	require.Equal(t, 1, lies.Messages)
	s.post.opens(queue, door("payment"))
	s.well()
}

// A participant that is away holds up no deadline: the saga goes back, and is held again
// until its CANCEL is taken.
func TestNobodyHoldsUpADeadline(t *testing.T) {
	t.Parallel()
	s := set(t, "deadline: 8s\n"+impatient)
	queue := protocol.CommandQueue("payment")
	require.NoError(t, s.post.channel.Cancel(queue, false))
	s.begin(nil)
	until(t, "the deadline", func() bool { return s.status() == string(saga.StatusAborting) })
	s.post.opens(queue, door("payment"))
	until(t, "the end", func() bool { return s.status() == string(saga.StatusAborted) })
	require.Equal(t, "hotel REQUEST CANCEL, payment REQUEST CANCEL", s.done())
}
