package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// approved waits for a person between the room and the money.
func approved(wait string) string {
	return `
name: trip
version: 1
steps:
  - name: hotel
  - name: approval
    kind: signal
    wait: ` + wait + `
  - name: payment
    type: pivot
    send: {by: /outputs/approval/by}
`
}

func TestSagaApprovalNeverComes(t *testing.T) {
	t.Parallel()
	s := set(t, approved("500ms"))
	s.begin(nil)
	s.ends(ending{
		steps: "hotel COMPENSATED, approval FAILED", deeds: "hotel REQUEST CANCEL", events: []string{"ABORTED approval unsignalled"},
		timeline: `
started → REQUEST hotel
hotel answered REQUEST: succeeded
timer of approval (nobody signalled in time: going back) → CANCEL hotel → ABORTING
hotel answered CANCEL: compensated → ABORTED`,
	})
}

// An approval that comes before its step is kept for it.
func TestSagaApprovalComesEarly(t *testing.T) {
	t.Parallel()
	s := set(t, approved("1h"))
	s.post.hold("hotel.REQUEST")
	s.begin(nil)
	s.post.await("hotel.REQUEST")
	s.grace("signal", "approval", "--output", `{"by": "grace"}`)
	s.post.release("hotel.REQUEST")
	s.ends(ending{
		steps: "hotel SUCCEEDED, approval SUCCEEDED, payment SUCCEEDED", deeds: "hotel REQUEST, payment REQUEST", events: []string{"COMPLETED"},
		timeline: `
started → REQUEST hotel
signal for approval by grace (kept until the step is reached)
hotel answered REQUEST: succeeded → REQUEST payment
payment answered REQUEST: succeeded → COMPLETED`,
	})
	require.JSONEq(t, `{"payload": {"by": "grace"}, "outputs": {}}`, string(s.post.await("payment.REQUEST").Body))
}

func TestSagaApprovalIsRefused(t *testing.T) {
	t.Parallel()
	s := set(t, approved("1h"))
	s.begin(nil)
	s.tells("hotel answered REQUEST: succeeded")
	s.grace("signal", "approval", "--refuse", "--reason", "too dear")
	s.ends(ending{
		steps: "hotel COMPENSATED, approval FAILED", deeds: "hotel REQUEST CANCEL", events: []string{"ABORTED approval refused"},
		timeline: `
started → REQUEST hotel
hotel answered REQUEST: succeeded
signal for approval by grace (refused: too dear) → CANCEL hotel → ABORTING
hotel answered CANCEL: compensated → ABORTED`,
	})
}
