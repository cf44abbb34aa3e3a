package saga_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
)

// The table of the package documentation, every cell. "advance" stands for any
// progress; what exactly follows is told in the conversations.
const dispositionTable = `
step          REQUEST/succeeded  REQUEST/failed  REQUEST/retry  CONFIRM/confirmed  CONFIRM/failed  CONFIRM/retry  CANCEL/compensated  CANCEL/failed  CANCEL/retry  timer
pending       quarantined        quarantined     quarantined    quarantined        quarantined     quarantined    quarantined         quarantined    quarantined   -
STARTED       advanced           advanced        advanced       quarantined        quarantined     quarantined    quarantined         quarantined    quarantined   advanced
SUCCEEDED     duplicate          parked          late           quarantined        quarantined     quarantined    quarantined         quarantined    quarantined   -
SKIPPED       late               late            late           quarantined        quarantined     quarantined    quarantined         quarantined    quarantined   -
FAILED        parked             duplicate       late           quarantined        quarantined     quarantined    quarantined         quarantined    quarantined   -
CONFIRMING    duplicate          parked          late           advanced           advanced        advanced       quarantined         quarantined    quarantined   advanced
CONFIRMED     duplicate          parked          late           duplicate          late            late           quarantined         quarantined    quarantined   -
COMPENSATING  late               late            late           quarantined        quarantined     quarantined    advanced            advanced       advanced      advanced
COMPENSATED   late               late            late           quarantined        quarantined     quarantined    duplicate           late           late          -
COMPLETED     late               late            late           late               late            late           late                late           late          late
ABORTED       late               late            late           late               late            late           late                late           late          late
KILLED        late               late            late           late               late            late           late                late           late          late
`

// TestEveryDisposition puts step b of a saga a, b, c in each state and gives it
// each reply. A reply that is not awaited must change nothing.
func TestEveryDisposition(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(dispositionTable), "\n")
	columns := strings.Fields(lines[0])[1:]
	for _, line := range lines[1:] {
		cells := strings.Fields(line)
		for i, want := range cells[1:] {
			if want == "-" {
				continue // no timer runs for a step that is not waited for
			}
			t.Run(cells[0]+"/"+columns[i], func(t *testing.T) {
				before := withStep(t, cells[0])
				tr := saga.Step(planOf(cells[0]), before, eventOf(columns[i]), before.WakeAt())
				require.Equal(t, saga.Disposition(want), tr.Entry.Disposition, tr.Entry.Detail)
				require.Equal(t, before.Version+1, tr.Next.Version)
				if want != "advanced" && want != "parked" {
					requireUnchanged(t, before, tr)
				}
			})
		}
	}
}

func eventOf(column string) saga.Event {
	op, outcome, isReply := strings.Cut(column, "/")
	if !isReply {
		return saga.Timer{}
	}
	return saga.Reply{Step: "b", Operation: saga.Operation(op), Outcome: saga.Outcome(outcome)}
}

func requireUnchanged(t *testing.T, before saga.State, tr saga.Transition) {
	t.Helper()
	require.Empty(t, tr.Effects)
	after := tr.Next
	after.Version, after.UpdatedAt = before.Version, before.UpdatedAt
	require.Equal(t, before, after)
}

var threeSteps = func() saga.Definition {
	policy := saga.Policy{Timeout: time.Second, RetryFor: time.Minute, Retry: saga.Retry{Initial: time.Second, Factor: 2, Max: time.Minute, Attempts: 3}}
	def := saga.Definition{Name: "three", Version: 1, Mode: saga.Sequence}
	for _, name := range []string{"a", "b", "c"} {
		def.Steps = append(def.Steps, saga.StepDefinition{
			Name: name, Kind: saga.Command, Type: saga.Compensatable, Destination: name, Request: policy, Confirm: policy, Cancel: policy,
		})
	}
	return def
}()

// planOf is the definition in which step b can have the status.
func planOf(status string) saga.Definition {
	def := threeSteps
	if status == "CONFIRMING" || status == "CONFIRMED" {
		def.Mode = saga.TCC
	}
	return def
}

// withStep leads a saga to where step b has the status, or the saga itself has it.
func withStep(t *testing.T, status string) saga.State {
	t.Helper()
	ok := func(step string) saga.Event {
		return saga.Reply{Step: step, Operation: saga.Request, Outcome: saga.OutcomeSucceeded}
	}
	no := func(step string) saga.Event {
		return saga.Reply{Step: step, Operation: saga.Request, Outcome: saga.OutcomeFailed}
	}
	undone := func(step string) saga.Event {
		return saga.Reply{Step: step, Operation: saga.Cancel, Outcome: saga.OutcomeCompensated}
	}
	skip := saga.Action{Verb: saga.Skip, Reason: "done by hand"}
	kill := saga.Action{Verb: saga.Kill, Reason: "a test"}
	confirmed := saga.Reply{Step: "b", Operation: saga.Confirm, Outcome: saga.OutcomeConfirmed}
	paths := map[string][]saga.Event{
		"pending":      {},
		"STARTED":      {ok("a")},
		"SUCCEEDED":    {ok("a"), ok("b")},
		"SKIPPED":      {ok("a"), skip},
		"FAILED":       {ok("a"), no("b")},
		"CONFIRMING":   {ok("a"), ok("b"), ok("c")},
		"CONFIRMED":    {ok("a"), ok("b"), ok("c"), confirmed},
		"COMPENSATING": {ok("a"), ok("b"), no("c")},
		"COMPENSATED":  {ok("a"), ok("b"), no("c"), undone("b")},
		"COMPLETED":    {ok("a"), ok("b"), ok("c")},
		"ABORTED":      {ok("a"), no("b"), undone("a")},
		"KILLED":       {ok("a"), kill},
	}
	def := planOf(status)
	tr, err := saga.Start(def, saga.StartParams{ID: saga.ID{7}}, epoch)
	require.NoError(t, err)
	for _, e := range paths[status] {
		tr = saga.Step(def, tr.Next, e, epoch)
		require.Equal(t, saga.Advanced, tr.Entry.Disposition, tr.Entry.Detail)
	}
	return tr.Next
}
