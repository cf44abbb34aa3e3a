package sagapg_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

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
	b.step(parked, booked(nil), contradiction)

	lines := map[string]string{}
	list, err := b.store.List(b.ctx, b.db, sagapg.Filter{Limit: 10})
	require.NoError(t, err)
	for _, o := range list {
		lines[*o.BusinessKey] = fmt.Sprintf("%s | %s | %s | %s", o.Status, o.Steps, value(o.WaitsFor), value(o.Reason))
	}
	require.Equal(t, map[string]string{
		"started":   "STARTED | room-booking ✓ → payment … | REQUEST payment, attempt 1 | ",
		"completed": "COMPLETED | room-booking ✓ → payment ✓ |  | ",
		"refused":   "ABORTED | room-booking ↶ → payment ✗ |  | payment refused: Card declined (limit reached)",
		"parked":    "PARKED | room-booking ✓ → payment … | REQUEST payment, attempt 1 | parked: contradictory replies",
	}, lines)
	require.Equal(t, "parked", *list[0].BusinessKey, "the newest first")

	list, err = b.store.List(b.ctx, b.db, sagapg.Filter{Status: saga.StatusParked, Type: "room-reservation", Limit: 10})
	require.NoError(t, err)
	require.Len(t, list, 1)
	list, err = b.store.List(b.ctx, b.db, sagapg.Filter{Type: "other", Limit: 10})
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestTimelineReadsWell(t *testing.T) {
	b := setup(t)
	id := b.start("K-1")
	b.step(id, booked(nil), booked(nil), saga.Timer{})
	b.exec(`UPDATE saga SET wake_at = now() WHERE id = $1`, uuid.UUID(id))
	b.step(id, saga.Timer{}, declined(), released(), paid())

	story, err := b.store.Show(b.ctx, b.db, id)
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
		"timer of REQUEST payment, attempt 1 [late: the timer came before its time]",
		"timer of REQUEST payment, attempt 1 (time is up: sent again) → REQUEST payment, attempt 2",
		"payment answered REQUEST: failed → CANCEL room-booking → ABORTING",
		"room-booking answered CANCEL: compensated → ABORTED",
		"payment answered REQUEST: succeeded [late: the saga has ended]",
	}, sentences)
	require.JSONEq(t, `{"room": 1}`, string(story.Payload))

	_, err = b.store.Show(b.ctx, b.db, saga.ID(uuid.New()))
	require.ErrorIs(t, err, sagapg.ErrNoSaga)
}

func TestStuckSagas(t *testing.T) {
	b := setup(t)
	b.start("well")
	overdue, ended, parked := b.start("overdue"), b.start("ended"), b.start("parked")
	b.step(ended, booked(nil), paid())
	b.exec(`UPDATE saga SET wake_at = now() - interval '1 minute' WHERE id = $1`, uuid.UUID(overdue))
	refused := booked(nil)
	refused.Outcome = saga.OutcomeFailed
	b.step(parked, booked(nil), refused)

	rows, err := b.db.Query(b.ctx, `SELECT business_key || ': ' || why FROM saga_stuck ORDER BY business_key`)
	require.NoError(t, err)
	whys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Len(t, whys, 2)
	require.Regexp(t, `^overdue: overdue: its timer was due at .*, is an orchestrator running\?$`, whys[0])
	require.Equal(t, "parked: parked: contradictory replies: an operator has to decide", whys[1])
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return strings.TrimSpace(*s)
}
