package sagapg_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// waits is what a saga waits for, as people are told: what, for, why. A + says that since
// when is told, a ! that until when is.
func (b *bench) waits(id saga.ID) string {
	b.Helper()
	story, err := b.store.Show(b.ctx, b.db, id, sagapg.MaxEvents)
	require.NoError(b, err)
	var lines []string
	for _, w := range story.Waits {
		line := w.For
		if w.Since != nil {
			require.WithinRange(b, *w.Since, story.StartedAt, time.Now().Add(time.Minute))
			line += "+"
		}
		if w.Until != nil {
			line += "!"
		}
		words := []string{line}
		for _, word := range []string{string(w.Operation), w.Step, strings.Trim(fmt.Sprint(w.Attempt), "0")} {
			if word != "" {
				words = append(words, word)
			}
		}
		line = strings.Join(words, " ")
		if w.Why != "" {
			line += " (" + w.Why + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestWhatIsWaitedFor(t *testing.T) {
	b := setup(t)
	def := journey()
	def.Deadline = time.Hour
	b.follow(def)
	id := b.start("K-1")
	const deadline = "\ndeadline+! (then it goes back)"
	require.Equal(t, "relay+! REQUEST hotel 1 (waits for a relay: none serves this database)\nrelay+! REQUEST flight 1 (waits for a relay: none serves this database)"+deadline, b.waits(id), "before any timer has looked")

	b.exec(`UPDATE outbox_position SET written_in = outbox_database()`)
	require.Equal(t, "relay+! REQUEST hotel 1 (waits for the relay)\nrelay+! REQUEST flight 1 (waits for the relay)"+deadline, b.waits(id))
	b.exec(`INSERT INTO outbox_parked (id, event_id, aggregate_id, exchange, routing_key, state, reason, next_at)
		SELECT id, event_id, aggregate_id, exchange, routing_key, 'retry', 'unroutable', now() FROM outbox ORDER BY id LIMIT 1`)
	require.Contains(t, b.waits(id), "parked message+! REQUEST hotel 1 (waits behind a parked message: unroutable)\n")
	b.exec(`DELETE FROM outbox_parked`)
	published := func() {
		b.exec(`UPDATE outbox_position SET settled = pg_current_snapshot()`)
	}
	published()
	require.Equal(t, "answer+! REQUEST hotel 1\nanswer+! REQUEST flight 1"+deadline, b.waits(id))
	held := func(reason string) {
		b.exec(`UPDATE saga SET waiting = jsonb_set(waiting, '{flight,held}', jsonb_build_object('reason', $2::text, 'since', now())) WHERE id = $1`, uuid.UUID(id), reason)
	}
	held("waits for the relay")
	require.Equal(t, "answer+! REQUEST hotel 1\nanswer+! REQUEST flight 1"+deadline, b.waits(id), "what a timer saw is over")

	busy := answer("hotel", saga.Request, saga.OutcomeRetry)
	busy.Attempt, busy.Problem = 1, saga.Problem{Type: "urn:problem:hotel:busy", Title: "Busy"}
	b.step(id, busy)
	require.Contains(t, b.waits(id), "pause+! REQUEST hotel 1 (answered retry: Busy (urn:problem:hotel:busy))\n")
	b.exec(`UPDATE saga SET wake_at = now() - interval '1 minute', look_at = now() - interval '1 minute', waiting = jsonb_set(waiting, '{hotel,wake_at}', to_jsonb(now() - interval '1 minute')) WHERE id = $1`, uuid.UUID(id))
	require.Contains(t, b.waits(id), "(answered retry: Busy (urn:problem:hotel:busy); overdue, is an orchestrator running?)")
	b.step(id, saga.Timer{})
	published()
	require.Contains(t, b.waits(id), "answer+! REQUEST hotel 2 (answered retry 1 times, last: Busy (urn:problem:hotel:busy))\n")

	for reason, kind := range map[string]string{"waits for the queue q": "queue", "waits for a consumer of q": "consumer", "waits for the broker, which cannot be asked about q": "broker"} {
		held(reason)
		require.Contains(t, b.waits(id), "\n"+kind+"+! REQUEST flight 1 ("+reason+")\n")
	}
	b.step(id, saga.Action{Verb: saga.Pause, Who: "ada", Reason: "audit"})
	require.Contains(t, b.waits(id), "resume+ (ada: paused by the operator: audit)\nanswer+ REQUEST hotel 2 (")

	b.step(id, succeeded("hotel"), succeeded("flight"), saga.Action{Verb: saga.Resume, Who: "ada"})
	require.Equal(t, "delay+! cooling"+deadline, b.waits(id))
	b.step(id, saga.Action{Verb: saga.Skip, Who: "ada", Reason: "cold enough"})
	require.Regexp(t, `^signal\+! approval \(if nobody signals in time: \w+\)`+strings.NewReplacer("(", `\(`, ")", `\)`, "+", `\+`).Replace(deadline)+"$", b.waits(id))

	no := answer("hotel", saga.Request, saga.OutcomeFailed)
	no.Problem = saga.Problem{Title: "Never heard of it"}
	b.step(id, no)
	require.Contains(t, b.waits(id), "decision+ hotel (the step succeeded before and now says failed: Never heard of it)\nsignal+ approval")
	b.step(id, saga.Action{Verb: saga.Kill, Who: "ada", Reason: "enough"})
	require.Empty(t, b.waits(id))
}

// A history of many events is not read to its beginning, and what is left out is told.
func TestATimelineIsBounded(t *testing.T) {
	b := setup(t)
	id := b.start("K-1")
	b.step(id, booked(nil), booked(nil), booked(nil), booked(nil))
	story, err := b.store.Show(b.ctx, b.db, id, 2)
	require.NoError(t, err)
	require.EqualValues(t, 3, story.Earlier)
	require.Len(t, story.Timeline, 2)
	require.EqualValues(t, 4, story.Timeline[0].Seq)
	page, err := b.store.Timeline(b.ctx, b.db, id, 4, 2)
	require.NoError(t, err)
	require.Len(t, page, 2)
	require.EqualValues(t, 2, page[0].Seq)
	require.Equal(t, saga.Duplicate, page[1].Disposition)
	require.Equal(t, "the step is known to have succeeded", page[1].Detail)
}

// The database words a problem as the program does.
func TestAProblemHasOneWording(t *testing.T) {
	b := setup(t)
	texts := []string{"", "a", "b", "about:blank"}
	for _, kind := range texts {
		for _, title := range texts {
			for _, detail := range texts {
				p := saga.Problem{Type: kind, Title: title, Detail: detail}
				document, err := json.Marshal(p)
				require.NoError(t, err)
				var words string
				require.NoError(t, b.db.QueryRow(b.ctx, `SELECT coalesce(saga_problem($1::text::jsonb), '')`, string(document)).Scan(&words))
				require.Equal(t, p.String(), words, "%s", document)
			}
		}
	}
}

// Another step than the one that answered can turn a saga back: the timeline says why.
func TestTheTimelineSaysWhatTurnedBack(t *testing.T) {
	b := setup(t)
	b.follow(journey())
	id := b.start("K-1")
	b.step(id, saga.Signalled{Step: "approval", Who: "bob", Refused: true, Reason: "no budget"}, succeeded("hotel"), succeeded("flight"),
		saga.Action{Verb: saga.Skip, Who: "ada", Reason: "cold enough"})
	story, err := b.store.Show(b.ctx, b.db, id, 1)
	require.NoError(t, err)
	require.Equal(t, "ada told it to skip cooling (declared done by the operator: cold enough; approval: refused before the step was reached: no budget) → CANCEL flight and CANCEL hotel → ABORTING", story.Timeline[0].Sentence)
}
