package e2e

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
	"go.example/saga/pkg/saga"
)

// once gives the payment half a second.
const once = `
name: trip
version: 1
steps:
  - name: hotel
  - name: payment
    request: {timeout: 500ms, retry: {attempts: 1}}
`

// A success that comes when its step is being cancelled, and once more when all is
// over, is too late.
func TestSagaLateSuccess(t *testing.T) {
	t.Parallel()
	s := set(t, once)
	s.post.hold("payment.REQUEST.succeeded", "payment.CANCEL")
	s.begin(nil)
	s.post.await("payment.CANCEL")
	s.post.release("payment.REQUEST.succeeded")
	s.tells("payment answered REQUEST: succeeded [late: the step is being or has been compensated]")
	s.post.release("payment.CANCEL")
	s.tells("hotel answered CANCEL: compensated → ABORTED")
	s.post.repeat("payment.REQUEST.succeeded")
	s.tells("payment answered REQUEST: succeeded [late: the saga has ended]")
	s.ends(ending{
		steps: "hotel COMPENSATED, payment COMPENSATED", events: []string{"ABORTED payment unknown"},
		deeds: "hotel REQUEST CANCEL, payment REQUEST CANCEL",
		timeline: `
started → REQUEST hotel
hotel answered REQUEST: succeeded → REQUEST payment
timer of REQUEST payment, attempt 1 (outcome unknown after the last attempt: compensating it too) → CANCEL payment → ABORTING
payment answered REQUEST: succeeded [late: the step is being or has been compensated]
payment answered CANCEL: compensated → CANCEL hotel
hotel answered CANCEL: compensated → ABORTED
payment answered REQUEST: succeeded [late: the saga has ended]`,
	})
}

// A CANCEL that comes before its REQUEST leaves a mark, and the REQUEST has no effect
// when it comes.
func TestSagaCancelOvertakesRequest(t *testing.T) {
	t.Parallel()
	s := set(t, once)
	s.post.hold("payment.REQUEST")
	s.begin(nil)
	s.tells("hotel answered CANCEL: compensated → ABORTED")
	require.Equal(t, "cancelled", s.barrier("payment"))
	s.post.release("payment.REQUEST")
	s.tells("payment answered REQUEST: failed: " + cancelled + " [late: the saga has ended]")
	s.ends(ending{
		steps: "hotel COMPENSATED, payment COMPENSATED", deeds: "hotel REQUEST CANCEL", events: []string{"ABORTED payment unknown"},
		timeline: `
started → REQUEST hotel
hotel answered REQUEST: succeeded → REQUEST payment
timer of REQUEST payment, attempt 1 (outcome unknown after the last attempt: compensating it too) → CANCEL payment → ABORTING
payment answered CANCEL: compensated → CANCEL hotel
hotel answered CANCEL: compensated → ABORTED
payment answered REQUEST: failed: ` + cancelled + ` [late: the saga has ended]`,
	})
	require.Equal(t, "cancelled", s.barrier("payment"))
}

// A CANCEL that comes to a second instance while the first is still at work on the
// REQUEST waits for it, and then undoes it.
func TestSagaCancelMeetsRequest(t *testing.T) {
	t.Parallel()
	s := set(t, once)
	work := newGate()
	s.actors["payment"].on(saga.Request, work.agrees)
	s.enter("payment")
	// Two instances answer side by side, in either order.
	s.post.hold("payment.REQUEST.succeeded", "payment.CANCEL")
	s.begin(nil)
	work.await(t)
	s.post.release("payment.CANCEL")
	until(t, "the CANCEL at the barrier", func() bool {
		return stacktest.Count(t, s.deeds, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%Enters with all commands%'`) == 1
	})
	close(work.opened)
	s.tells("hotel answered CANCEL: compensated → ABORTED")
	s.post.release("payment.REQUEST.succeeded")
	s.tells("payment answered REQUEST: succeeded [late: the saga has ended]")
	s.ends(ending{
		steps: "hotel COMPENSATED, payment COMPENSATED", events: []string{"ABORTED payment unknown"},
		deeds: "hotel REQUEST CANCEL, payment REQUEST CANCEL",
		timeline: `
started → REQUEST hotel
hotel answered REQUEST: succeeded → REQUEST payment
timer of REQUEST payment, attempt 1 (outcome unknown after the last attempt: compensating it too) → CANCEL payment → ABORTING
payment answered CANCEL: compensated → CANCEL hotel
hotel answered CANCEL: compensated → ABORTED
payment answered REQUEST: succeeded [late: the saga has ended]`,
	})
	require.Equal(t, "compensated", s.barrier("payment"))
}

// The barrier has forgotten a saga that is undone only now. What it did is not called undone:
// the saga is parked, and a person decides.
func TestSagaIsForgottenBeforeItsCancel(t *testing.T) {
	t.Parallel()
	s := set(t, `
name: trip
version: 1
steps:
  - name: hotel
    cancel: {retry: {initial: 100ms, attempts: 2}}
  - name: payment
`)
	s.actors["payment"].on(saga.Request, refuses)
	s.post.hold("hotel.CANCEL")
	s.begin(nil)
	s.post.await("hotel.CANCEL")
	for _, statement := range []string{
		`UPDATE saga_barrier_watermark SET forgotten_to = $1`,
		`DELETE FROM saga_barrier WHERE saga_id = $1`,
	} {
		_, err := s.deeds.Exec(t.Context(), statement, uuid.UUID(s.id))
		require.NoError(t, err)
	}
	s.post.release("hotel.CANCEL")
	s.post.await("trip.parked")
	require.Equal(t, "hotel REQUEST", s.done())
	require.Equal(t, "PARKED", s.status())
	timeline := s.timeline()
	require.Regexp(t, `hotel answered CANCEL, attempt 2: failed: The saga is so old that it is forgotten here.* \[parked: the compensation is not sent again, refused\] → PARKED$`, timeline[len(timeline)-1])
}
