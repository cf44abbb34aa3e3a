package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
)

// Every reservation is made to last, once, also where the first confirmation fails.
func TestSagaTCCConfirms(t *testing.T) {
	t.Parallel()
	for outcome, first := range map[string]struct {
		answer answer
		reason string
	}{"retry": {breaks, broken}, "failed": {refuses, refused}} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			s := set(t, example(t, "seats.yaml"))
			s.actors["inbound"].on(saga.Confirm, first.answer, agrees)
			s.post.hold("inbound.REQUEST", "inbound.CONFIRM")
			s.begin(nil)
			s.tells("outbound answered REQUEST: succeeded")
			require.Empty(t, s.post.letters("*.CONFIRM"))
			s.post.release("inbound.REQUEST")
			s.tells("outbound answered CONFIRM: confirmed")
			s.post.repeat("outbound.CONFIRM")
			s.tells("outbound answered CONFIRM: confirmed [duplicate: the step is known to be confirmed]")
			s.post.release("inbound.CONFIRM")
			s.ends(ending{
				steps: "outbound CONFIRMED, inbound CONFIRMED, voucher OMITTED", events: []string{"COMPLETED"},
				deeds: "inbound REQUEST CONFIRM, outbound REQUEST CONFIRM",
				timeline: `
started → REQUEST outbound and REQUEST inbound
outbound answered REQUEST: succeeded
inbound answered REQUEST: succeeded → CONFIRM outbound and CONFIRM inbound
outbound answered CONFIRM: confirmed
outbound answered CONFIRM: confirmed [duplicate: the step is known to be confirmed]
inbound answered CONFIRM: ` + outcome + `: ` + first.reason + ` (to be sent again after the backoff)
timer of CONFIRM inbound, attempt 1 (time is up: sent again) → CONFIRM inbound, attempt 2
inbound answered CONFIRM, attempt 2: confirmed → COMPLETED`,
			})
		})
	}
}

// One refusal, and all reservations are let go; nothing is confirmed.
func TestSagaTCCRefused(t *testing.T) {
	t.Parallel()
	s := set(t, example(t, "seats.yaml"))
	s.actors["voucher"].on(saga.Request, refuses)
	s.post.hold("inbound.REQUEST", "outbound.CANCEL")
	s.begin(jsonmap.JSONMap{"voucher": "V-1"})
	s.tells("outbound answered REQUEST: succeeded")
	s.post.release("inbound.REQUEST")
	s.tells("inbound answered CANCEL: compensated")
	s.post.release("outbound.CANCEL")
	s.ends(ending{
		steps: "outbound COMPENSATED, inbound COMPENSATED, voucher FAILED", events: []string{"ABORTED voucher refused"},
		deeds: "inbound REQUEST CANCEL, outbound REQUEST CANCEL",
		timeline: `
started → REQUEST outbound and REQUEST inbound
outbound answered REQUEST: succeeded
inbound answered REQUEST: succeeded → REQUEST voucher
voucher answered REQUEST: failed: ` + refused + ` → CANCEL inbound and CANCEL outbound → ABORTING
inbound answered CANCEL: compensated
outbound answered CANCEL: compensated → ABORTED`,
	})
	require.Empty(t, s.post.letters("*.CONFIRM"))
}
