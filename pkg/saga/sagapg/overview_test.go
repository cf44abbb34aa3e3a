package sagapg_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

func TestOverviewReadsWell(t *testing.T) {
	b := setup(t)
	started, completed, refused, parked := b.start("started"), b.start("completed"), b.start("refused"), b.start("parked")
	b.step(started, booked(nil))
	b.step(completed, booked(nil), paid())
	b.step(refused, booked(nil), declined(), released())
	contradiction := booked(nil)
	contradiction.Outcome = saga.OutcomeFailed
	contradiction.Problem = saga.Problem{Type: "urn:problem:hotel:closed", Title: "Room closed"}
	b.step(parked, booked(nil), contradiction)

	lines := map[string]string{}
	ids, err := b.store.Find(b.ctx, b.db, sagapg.Selection{Limit: 10})
	require.NoError(t, err)
	list, err := b.store.Overviews(b.ctx, b.db, ids)
	require.NoError(t, err)
	for _, o := range list {
		lines[*o.BusinessKey] = fmt.Sprintf("%s | %s | %s | %s", o.Status, o.Steps, value(o.WaitsFor), value(o.Reason))
	}
	require.Equal(t, map[string]string{
		"started":   "STARTED | room-booking ✓ → payment … | REQUEST payment, attempt 1 | ",
		"completed": "COMPLETED | room-booking ✓ → payment ✓ |  | ",
		"refused":   "ABORTED | room-booking ↶ → payment ✗ |  | payment refused: Card declined (limit reached)",
		"parked":    "PARKED | room-booking ✓ → payment … | decision on room-booking; REQUEST payment, attempt 1 | parked: contradictory replies: the step succeeded before and now says failed: Room closed (urn:problem:hotel:closed)",
	}, lines)
	require.Equal(t, "parked", *list[0].BusinessKey, "the newest first")
}

func TestTimelineReadsWell(t *testing.T) {
	b := setup(t)
	id := b.start("K-1")
	b.step(id, booked(nil), booked(nil), saga.Timer{})
	b.overdue(id)
	b.step(id, saga.Timer{}, declined(), released(), paid())

	story, err := b.store.Show(b.ctx, b.db, id, sagapg.MaxEvents)
	require.NoError(t, err)
	var sentences []string
	for i, m := range story.Timeline {
		require.EqualValues(t, i+1, m.Seq)
		sentences = append(sentences, m.Sentence)
	}
	require.Equal(t, []string{
		"started → REQUEST room-booking",
		"room-booking answered REQUEST: succeeded → REQUEST payment",
		"room-booking answered REQUEST: succeeded [duplicate: the step is known to have succeeded]",
		"timer [late: the timer came before its time]",
		"timer of REQUEST payment, attempt 1 (time is up: sent again) → REQUEST payment, attempt 2",
		"payment answered REQUEST: failed: Card declined (limit reached) → CANCEL room-booking → ABORTING",
		"room-booking answered CANCEL: compensated → ABORTED",
		"payment answered REQUEST: succeeded [late: the saga has ended]",
	}, sentences)
	require.JSONEq(t, `{"room": 1}`, string(story.Payload))

	_, err = b.store.Show(b.ctx, b.db, saga.ID(uuid.New()), 1)
	require.ErrorIs(t, err, sagapg.ErrNoSaga)
}

func TestStuckSagas(t *testing.T) {
	b := setup(t)
	b.start("well")
	overdue, ended, parked := b.start("overdue"), b.start("ended"), b.start("parked")
	b.step(ended, booked(nil), paid())
	b.step(b.start("paused"), saga.Action{Verb: saga.Pause, Who: "ada"})
	b.overdue(overdue)
	refused := booked(nil)
	refused.Outcome = saga.OutcomeFailed
	b.step(parked, booked(nil), refused)

	rows, err := b.db.Query(b.ctx, `SELECT business_key || ': ' || why FROM saga_stuck ORDER BY business_key`)
	require.NoError(t, err)
	whys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Len(t, whys, 2)
	require.Regexp(t, `^overdue: overdue: its timer was due at .*, is an orchestrator running\?$`, whys[0])
	require.Equal(t, "parked: parked: contradictory replies: the step succeeded before and now says failed: an operator has to decide", whys[1])
}

// Every kind of step, several at a time.
func TestOverviewOfAJourney(t *testing.T) {
	b := setup(t)
	b.follow(journey())
	id := b.start("K-1")
	see := func() string {
		story, err := b.store.Show(b.ctx, b.db, id, sagapg.MaxEvents)
		require.NoError(t, err)
		return fmt.Sprintf("%s | %s | %s | %s", story.Status, story.Steps, value(story.WaitsFor), value(story.Reason))
	}
	ada := func(verb saga.Verb, reason string) saga.Action {
		return saga.Action{Verb: verb, Who: "ada", Reason: reason}
	}
	hotel := succeeded("hotel")
	hotel.Output = jsonmap.JSONMap{"n": 0}
	for _, c := range []struct {
		events []saga.Event
		want   string
	}{
		{nil, "STARTED | [hotel … flight …] → cooling · → approval · → car · → seal · → [mail · badge ·] → survey · | REQUEST hotel, attempt 1; REQUEST flight, attempt 1 | "},
		{[]saga.Event{hotel, ada(saga.Pause, "audit")}, "STARTED | [hotel ✓ flight …] → cooling · → approval · → car · → seal · → [mail · badge ·] → survey · | REQUEST flight, attempt 1 | ada: paused by the operator: audit"},
		{[]saga.Event{succeeded("flight")}, "STARTED | [hotel ✓ flight ✓] → cooling · → approval · → car · → seal · → [mail · badge ·] → survey · |  | ada: paused by the operator: audit"},
		{[]saga.Event{ada(saga.Resume, "")}, "STARTED | [hotel ✓ flight ✓] → cooling … → approval · → car · → seal · → [mail · badge ·] → survey · | delay cooling | "},
		{[]saga.Event{ada(saga.Skip, "cold enough")}, "STARTED | [hotel ✓ flight ✓] → cooling skipped → approval … → car · → seal · → [mail · badge ·] → survey · | signal approval | "},
		{[]saga.Event{saga.Signalled{Step: "approval", Who: "bob"}}, "STARTED | [hotel ✓ flight ✓] → cooling skipped → approval ✓ → car – → seal … → [mail · badge ·] → survey · | REQUEST seal, attempt 1 | "},
		{[]saga.Event{ada(saga.Kill, "enough")}, "KILLED | [hotel ✓ flight ✓] → cooling skipped → approval ✓ → car – → seal … → [mail · badge ·] → survey · |  | ada: killed by the operator, nothing is compensated: enough"},
	} {
		b.step(id, c.events...)
		require.Equal(t, c.want, see())
	}
	story, err := b.store.Show(b.ctx, b.db, id, sagapg.MaxEvents)
	require.NoError(t, err)
	var sentences []string
	for _, m := range story.Timeline {
		sentences = append(sentences, m.Sentence)
	}
	require.Equal(t, []string{
		"started → REQUEST hotel and REQUEST flight",
		"hotel answered REQUEST: succeeded",
		"ada told it to pause (paused by the operator: audit)",
		"flight answered REQUEST: succeeded",
		"ada told it to resume (going on)",
		"ada told it to skip cooling (declared done by the operator: cold enough)",
		"signal for approval by bob (signalled) → REQUEST seal",
		"ada told it to kill (killed by the operator, nothing is compensated: enough) → KILLED",
	}, sentences)
}

// What TCC adds: reservations are confirmed side by side.
func TestOverviewOfTCC(t *testing.T) {
	b := setup(t)
	b.follow(tried())
	id := b.start("K-1")
	no := answer("flight", saga.Confirm, saga.OutcomeFailed)
	b.step(id, succeeded("hotel"), succeeded("flight"), saga.Signalled{Step: "approval"},
		answer("hotel", saga.Confirm, saga.OutcomeConfirmed), no)
	b.overdue(id)
	b.step(id, saga.Timer{})
	story, err := b.store.Show(b.ctx, b.db, id, sagapg.MaxEvents)
	require.NoError(t, err)
	require.Equal(t, "[hotel ✓✓ flight ⟳ approval ✓]", story.Steps)
	require.Equal(t, "CONFIRM flight, attempt 2", value(story.WaitsFor))
	var sentences []string
	for _, m := range story.Timeline[3:] {
		sentences = append(sentences, m.Sentence)
	}
	require.Equal(t, []string{
		"signal for approval (signalled) → CONFIRM hotel and CONFIRM flight",
		"hotel answered CONFIRM: confirmed",
		"flight answered CONFIRM: failed (to be sent again after the backoff)",
		"timer of CONFIRM flight, attempt 1 (time is up: sent again) → CONFIRM flight, attempt 2",
	}, sentences)
}

// The reason of an abort is told also where no step is to blame.
func TestOverviewOfAnAbort(t *testing.T) {
	b := setup(t)
	id := b.start("K-1")
	b.step(id, saga.Action{Verb: saga.Pause, Who: "ada"}, booked(nil), saga.Action{Verb: saga.Abort, Who: "ada", Reason: "overbooked"})
	story, err := b.store.Show(b.ctx, b.db, id, sagapg.MaxEvents)
	require.NoError(t, err)
	require.Equal(t, "aborted: overbooked", value(story.Reason))
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return strings.TrimSpace(*s)
}
