package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox/quarantine"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	engine "go.example/saga/pkg/saga/orchestrator"
	"go.example/saga/pkg/saga/sagapg"
)

// story is what `orchestrator saga show` prints for programs.
func (s *stage) story() (story engine.Story) {
	s.Helper()
	require.NoError(s, json.Unmarshal([]byte(s.orchestrator("saga", "show", uuid.UUID(s.id).String(), "--json")), &story))
	return story
}

// page is what it prints for people, with one blank between columns.
func (s *stage) page() string {
	s.Helper()
	return regexp.MustCompile(` {2,}`).ReplaceAllString(s.orchestrator("saga", "show", uuid.UUID(s.id).String()), " ")
}

// waits waits until both outputs say that the step waits for that, and since when; acts is
// whether the orchestrator will act by itself, which has a time.
func (s *stage) waits(what, step, why string, acts bool) {
	s.Helper()
	until(s.T, what+" of "+step, func() bool {
		story := s.story()
		i := slices.IndexFunc(story.Waits, func(w sagapg.Waiting) bool {
			return w.For == what && w.Step == step && strings.Contains(w.Why, why)
		})
		if i < 0 {
			return false
		}
		w := story.Waits[i]
		require.NotNil(s, w.Since, w)
		require.False(s, w.Since.Before(story.StartedAt), w)
		require.Equal(s, acts, w.Until != nil, w)
		subject := cmp.Or(step, "-")
		if w.Operation != "" {
			subject = fmt.Sprintf("%s %s, attempt %d", w.Operation, step, w.Attempt)
		}
		// It may go on in between.
		return strings.Contains(s.page(), "\n"+what+" "+subject+" "+w.Since.UTC().Format(time.RFC3339)+" ")
	})
}

// stray sends the orchestrator a copy of the reply with other headers and the id.
func (p *post) stray(reply, id string, headers map[string]any) {
	p.t.Helper()
	l := p.await(reply)
	l.MessageId, l.Headers = id, maps.Clone(l.Headers)
	maps.Copy(l.Headers, headers)
	l.to = protocol.ReplyQueue(testenv.Service)
	p.mu.Lock()
	defer p.mu.Unlock()
	require.NoError(p.t, p.deliver(l))
}

// One saga has nearly everything happen to it: whoever asks is told at each moment what it
// waits for, since when and why, and in the end all that was answered and what became of it.
func TestSagaShowIsHonest(t *testing.T) {
	t.Parallel()
	s := set(t, `
name: trip
version: 1
deadline: 1h
steps:
  - name: hotel
    request: {retry_for: 24h, retry: {initial: 1h, max: 1h, attempts: 5}}
    cancel: {retry: {initial: 100ms, attempts: 1}}
  - name: approval
    kind: signal
    wait: 1h
    on_timeout: refuse
  - name: payment
    request: {timeout: 500ms, retry: {initial: 100ms, max: 100ms, attempts: 60}}
  - name: flight
`)
	until(t, "the relay at work", func() bool {
		return len(s.texts(s.sagas, `SELECT holder FROM outbox_position WHERE holder IS NOT NULL AND $1::uuid IS NOT NULL`)) == 1
	})
	s.relayStops()
	s.begin(nil)
	s.waits("relay", "hotel", "waits for the relay", true)
	s.actors["hotel"].on(saga.Request, breaks, agrees)
	s.actors["hotel"].on(saga.Cancel, refuses)
	s.actors["flight"].on(saga.Request, refuses)
	s.relayStops = s.relay()
	s.waits("pause", "hotel", "answered retry: "+broken, true)
	s.grace("pause", "--reason", "audit")
	s.waits("resume", "", "grace: paused by the operator: audit", false)
	s.grace("resume")
	s.grace("retry", "--reason", "it is mended")

	s.waits("signal", "approval", "if nobody signals in time: refuse", true)
	queue := protocol.CommandQueue("payment")
	require.NoError(t, s.post.channel.Cancel(queue, false))
	s.post.hold("payment.REQUEST.succeeded")
	s.grace("signal", "approval")
	s.waits("consumer", "payment", "waits for a consumer of "+queue, true)
	s.post.opens(queue, door("payment"))
	s.waits("answer", "payment", "", true)
	s.tells("timer of REQUEST payment, attempt 1 (time is up: sent again) → REQUEST payment, attempt 2")
	until(t, "two answers", func() bool { return len(s.post.letters("payment.REQUEST.succeeded")) >= 2 })
	s.post.hold("hotel.CANCEL")
	s.post.release("payment.REQUEST.succeeded")
	until(t, "an answer that comes twice", func() bool {
		return slices.ContainsFunc(s.timeline(), func(line string) bool {
			return strings.HasPrefix(line, "payment answered REQUEST, attempt 2: succeeded [")
		})
	})

	const answer = "flight.REQUEST.failed"
	s.post.stray(answer, "m-step", map[string]any{
		protocol.HeaderSagaStep: "spa", protocol.HeaderSagaKey: protocol.Key(s.id, "spa", saga.Request),
	})
	s.post.stray(answer, "m-outcome", map[string]any{protocol.HeaderSagaOutcome: "perhaps"})
	s.post.stray(answer, "m-id", map[string]any{protocol.HeaderSagaID: "none", protocol.HeaderSagaKey: "none"})
	for i := range 22 {
		s.post.stray(answer, fmt.Sprint("m-", i), map[string]any{protocol.HeaderSagaOutcome: "perhaps"})
	}
	s.post.release("hotel.CANCEL")
	s.post.await("trip.parked")
	until(t, "all that was set aside", func() bool { return s.story().SetAside.Total == 25 })
	s.waits("decision", "hotel", "the compensation is not sent again, refused: "+refused, false)

	text, story := s.page(), s.story()
	require.Contains(t, text, "reason parked: the compensation is not sent again, refused: "+refused+"; flight refused: "+refused)
	require.Contains(t, text, "… and 5 more: orchestrator quarantine list --saga "+story.ID+" --state held,dead,discarded")
	require.Len(t, story.SetAside.Messages, 20)
	require.Contains(t, text, fmt.Sprintf("See one with: orchestrator quarantine show %d;", story.SetAside.Messages[0].ID))
	for _, sentence := range []string{
		"hotel answered REQUEST: retry: " + broken + " (to be sent again after the backoff)",
		"grace told it to retry (sent again by the operator: it is mended) → REQUEST hotel, attempt 2",
		"timer of REQUEST payment, attempt 1 (waits for a consumer of " + queue + ")",
		"flight answered REQUEST: failed: " + refused + " → CANCEL payment → ABORTING",
		"spa answered REQUEST: failed: " + refused + " [quarantined: the saga has no such step]",
		"hotel answered CANCEL: failed: " + refused + " [parked: the compensation is not sent again, refused] → PARKED",
	} {
		require.Contains(t, text, " "+sentence+"\n")
	}
	i := slices.IndexFunc(story.Timeline, func(m sagapg.Moment) bool { return m.Step == "spa" })
	require.Equal(t, saga.Quarantined, story.Timeline[i].Disposition)
	require.Equal(t, &saga.Problem{Type: "urn:problem:stage:no", Title: "No"}, story.Timeline[i].Problem)

	var list []quarantine.Message
	require.NoError(t, json.Unmarshal([]byte(s.orchestrator("quarantine", "list", "--saga", story.ID, "--json")), &list))
	require.Len(t, list, 25)
	byID := map[string]quarantine.Message{}
	for _, m := range list {
		byID[m.MessageID] = m
	}
	step, outcome, id := byID["m-step"], byID["m-outcome"], byID["m-id"]
	require.Equal(t, []any{quarantine.Held, quarantine.Unexpected, "the saga has no such step"}, []any{step.State, step.Code, step.Reason})
	require.NotNil(t, step.RetryAt)
	require.Equal(t, []any{quarantine.Dead, quarantine.Undecodable}, []any{outcome.State, outcome.Code})
	require.Contains(t, outcome.Reason, `"perhaps" is no answer to REQUEST`)
	require.Contains(t, id.Reason, "is not a UUID")
}
