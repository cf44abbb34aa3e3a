package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
)

// hasty gives the payment half a second, twice.
const hasty = `
name: trip
version: 1
steps:
  - name: hotel
  - name: payment
    request: {timeout: 500ms, retry: {initial: 100ms, attempts: 2}}
`

// A participant that never answers: its step is asked again and then cancelled too,
// for it may have taken effect.
func TestSagaUnknownOutcome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ lost, deeds, barrier string }{
		"the request is lost":  {"payment.REQUEST", "hotel REQUEST CANCEL", "cancelled"},
		"the answers are lost": {"payment.REQUEST.*", "hotel REQUEST CANCEL, payment REQUEST CANCEL", "compensated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := set(t, hasty)
			s.post.lose(c.lost)
			s.begin(nil)
			s.ends(ending{
				steps: "hotel COMPENSATED, payment COMPENSATED", deeds: c.deeds, events: []string{"ABORTED payment unknown"},
				timeline: `
started → REQUEST hotel
hotel answered REQUEST: succeeded → REQUEST payment
timer of REQUEST payment, attempt 1 (time is up: sent again) → REQUEST payment, attempt 2
timer of REQUEST payment, attempt 2 (outcome unknown after the last attempt: compensating it too) → CANCEL payment → ABORTING
payment answered CANCEL: compensated → CANCEL hotel
hotel answered CANCEL: compensated → ABORTED`,
			})
			require.Equal(t, c.barrier, s.barrier("payment"))
			require.Len(t, s.post.letters("payment.REQUEST"), 2)
		})
	}
}

// A participant that answers only with technical errors changes nothing, but nobody
// takes its word for it once it has done so for too long.
func TestSagaTechnicalErrors(t *testing.T) {
	t.Parallel()
	s := set(t, `
name: trip
version: 1
steps:
  - name: hotel
  - name: payment
    request: {retry_for: 50ms, retry: {initial: 100ms, attempts: 1}}
`)
	s.actors["payment"].on(saga.Request, breaks)
	s.begin(nil)
	s.ends(ending{
		steps: "hotel COMPENSATED, payment COMPENSATED", deeds: "hotel REQUEST CANCEL", events: []string{"ABORTED payment unavailable"},
		timeline: `
started → REQUEST hotel
hotel answered REQUEST: succeeded → REQUEST payment
payment answered REQUEST: retry: ` + broken + ` (to be sent again after the backoff)
timer of REQUEST payment, attempt 1 (time is up: sent again) → REQUEST payment, attempt 2
payment answered REQUEST, attempt 2: retry: ` + broken + ` (answered retry for too long: compensating it too) → CANCEL payment → ABORTING
payment answered CANCEL: compensated → CANCEL hotel
hotel answered CANCEL: compensated → ABORTED`,
	})
	require.Equal(t, "cancelled", s.barrier("payment"))
}
