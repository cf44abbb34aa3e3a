package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
)

// A step that says first yes and then no parks its saga at once. What is under way is
// still taken, nothing is begun, and the operator lets it go on.
func TestSagaContradictsItsSuccess(t *testing.T) {
	t.Parallel()
	s := set(t, `{name: trip, version: 1, steps: [{name: hotel}, {name: payment}, {name: mail}]}`)
	s.post.hold("payment.REQUEST")
	s.begin(nil)
	s.post.await("payment.REQUEST")
	s.post.contradict("hotel.REQUEST.succeeded")
	s.post.await("trip.parked")
	require.Equal(t, "PARKED", s.status())
	s.post.release("payment.REQUEST")
	s.tells("payment answered REQUEST: succeeded")
	require.Equal(t, "PARKED", s.status())
	require.Empty(t, s.post.letters("mail.*"))
	s.grace("resume", "--reason", "the second answer was wrong")
	s.ends(ending{
		steps:  "hotel SUCCEEDED, payment SUCCEEDED, mail SUCCEEDED",
		deeds:  "hotel REQUEST, mail REQUEST, payment REQUEST",
		events: []string{"PARKED contradictory replies", "COMPLETED"},
		timeline: `
started → REQUEST hotel
hotel answered REQUEST: succeeded → REQUEST payment
hotel answered REQUEST: failed [parked: the step succeeded before and now says failed] → PARKED
payment answered REQUEST: succeeded
grace told it to resume (waiting again: the second answer was wrong) → REQUEST mail → STARTED
mail answered REQUEST: succeeded → COMPLETED`,
	})
}

// A step that says first no and then yes is cancelled like the others, when the
// operator lets the saga go on.
func TestSagaContradictsItsRefusal(t *testing.T) {
	t.Parallel()
	s := set(t, `{name: trip, version: 1, steps: [{name: hotel}, {name: payment}]}`)
	s.actors["payment"].on(saga.Request, refuses)
	s.post.hold("hotel.CANCEL")
	s.begin(nil)
	s.post.await("hotel.CANCEL")
	s.post.contradict("payment.REQUEST.failed")
	s.post.await("trip.parked")
	require.Equal(t, "hotel COMPENSATING, payment SUCCEEDED", s.steps())
	s.post.release("hotel.CANCEL")
	s.tells("hotel answered CANCEL: compensated")
	s.grace("resume")
	s.ends(ending{
		steps: "hotel COMPENSATED, payment COMPENSATED", deeds: "hotel REQUEST CANCEL",
		events: []string{"PARKED payment refused contradictory replies", "ABORTED payment refused"},
		timeline: `
started → REQUEST hotel
hotel answered REQUEST: succeeded → REQUEST payment
payment answered REQUEST: failed: ` + refused + ` → CANCEL hotel → ABORTING
payment answered REQUEST: succeeded [parked: the step failed before and now says succeeded] → PARKED
hotel answered CANCEL: compensated
grace told it to resume (waiting again) → CANCEL payment → ABORTING
payment answered CANCEL: compensated → ABORTED`,
	})
}

// A compensation that fails for ever is repeated under its budget; then the saga is
// parked, until the participant is mended and an operator has it tried again.
func TestSagaCompensationFails(t *testing.T) {
	t.Parallel()
	for outcome, c := range map[string]struct {
		answer answer
		parked saga.ParkReason
		reason string
	}{
		"retry": {breaks, saga.ParkUnavailable, broken}, "failed": {refuses, saga.ParkRefused, refused},
	} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			s := set(t, `
name: trip
version: 1
steps:
  - name: hotel
    cancel: {retry_for: 50ms, retry: {initial: 100ms, attempts: 2}}
  - name: payment
`)
			s.actors["payment"].on(saga.Request, refuses)
			s.actors["hotel"].on(saga.Cancel, c.answer)
			s.begin(nil)
			s.post.await("trip.parked")
			require.Equal(t, "hotel REQUEST", s.done())
			s.actors["hotel"].on(saga.Cancel, agrees)
			s.grace("retry", "--reason", "the hotel is mended")
			s.ends(ending{
				steps: "hotel COMPENSATED, payment FAILED", deeds: "hotel REQUEST CANCEL",
				events: []string{"PARKED payment refused " + string(c.parked), "ABORTED payment refused"},
				timeline: `
started → REQUEST hotel
hotel answered REQUEST: succeeded → REQUEST payment
payment answered REQUEST: failed: ` + refused + ` → CANCEL hotel → ABORTING
hotel answered CANCEL: ` + outcome + `: ` + c.reason + ` (to be sent again after the backoff)
timer of CANCEL hotel, attempt 1 (time is up: sent again) → CANCEL hotel, attempt 2
hotel answered CANCEL, attempt 2: ` + outcome + `: ` + c.reason + ` [parked: the compensation is not sent again, ` + string(c.parked) + `] → PARKED
grace told it to retry (sent again by the operator: the hotel is mended) → CANCEL hotel, attempt 3 → ABORTING
hotel answered CANCEL, attempt 3: compensated → ABORTED`,
			})
		})
	}
}
