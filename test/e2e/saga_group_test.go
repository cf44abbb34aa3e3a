package e2e

import (
	"testing"

	"go.example/saga/pkg/saga"
)

// One of two steps side by side is refused while the other is at work: that one is
// cancelled at once, behind its own request, and what comes after is never begun.
func TestSagaGroupRefused(t *testing.T) {
	t.Parallel()
	s := set(t, `
name: trip
version: 1
steps:
  - parallel: bookings
    steps:
      - name: hotel
      - name: flight
  - name: payment
`)
	work := newGate()
	s.actors["hotel"].on(saga.Request, work.agrees)
	s.actors["flight"].on(saga.Request, refuses)
	s.post.hold("flight.REQUEST")
	s.begin(nil)
	work.await(t)
	s.post.release("flight.REQUEST")
	s.post.await("hotel.CANCEL")
	close(work.opened)
	s.ends(ending{
		steps: "hotel COMPENSATED, flight FAILED", deeds: "hotel REQUEST CANCEL", events: []string{"ABORTED flight refused"},
		timeline: `
started → REQUEST hotel and REQUEST flight
flight answered REQUEST: failed: ` + refused + ` → CANCEL hotel → ABORTING
hotel answered REQUEST: succeeded [late: the step is being or has been compensated]
hotel answered CANCEL: compensated → ABORTED`,
	})
}

// The deadline of the whole saga passes while a step is at work: that step and those
// before it are undone.
func TestSagaDeadline(t *testing.T) {
	t.Parallel()
	s := set(t, `{name: trip, version: 1, deadline: 4s, steps: [{name: hotel}, {name: payment}, {name: mail}]}`)
	work := newGate()
	s.actors["payment"].on(saga.Request, work.agrees)
	s.begin(nil)
	work.await(t)
	s.post.await("payment.CANCEL")
	close(work.opened)
	s.ends(ending{
		steps: "hotel COMPENSATED, payment COMPENSATED", events: []string{"ABORTED payment deadline"},
		deeds: "hotel REQUEST CANCEL, payment REQUEST CANCEL",
		timeline: `
started → REQUEST hotel
hotel answered REQUEST: succeeded → REQUEST payment
timer (the deadline has passed: going back) → CANCEL payment → ABORTING
payment answered REQUEST: succeeded [late: the step is being or has been compensated]
payment answered CANCEL: compensated → CANCEL hotel
hotel answered CANCEL: compensated → ABORTED`,
	})
}
