package conformance

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/conformance"
	"go.example/saga/internal/conformance/run"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/rabbit"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const (
	// patience is for what must come.
	patience = time.Minute
	// briefly is for what never comes; the answers of a desk take a few milliseconds.
	briefly = 5 * time.Second
)

// wrongs are the kinds of wrong with the checks that must fail.
var wrongs = []struct {
	wrong string
	fails []string
	// brokerOnly: by HTTP there is nothing to get wrong, or the server makes up for it.
	brokerOnly, silent bool
}{
	{wrong: forgetsAll, fails: []string{
		"redelivery", "attempt", "duplicates", "sagas", "cancel-first", "late-request", "race", "confirm", "cancel-confirmed", "largest", "restart",
	}},
	{wrong: anotherOutput, fails: []string{
		"redelivery", "attempt", "duplicates", "sagas", "late-request", "race", "refusal", "cancel-refused", "confirm", "unknown-step", "largest", "restart",
	}},
	{wrong: anotherOutcome, fails: []string{"attempt", "duplicates", "sagas", "late-request", "race", "confirm"}},
	{wrong: cancelFirstFails, fails: []string{"sagas", "cancel-first", "unknown-step"}},
	{wrong: runsLateRequests, fails: []string{"sagas", "cancel-first"}},
	{wrong: cancelsOnce, fails: []string{"cancel", "race", "confirm-cancelled"}},
	{wrong: forgetsRefusals, fails: []string{"refusal", "cancel-refused"}},
	{wrong: confirmsBlindly, fails: []string{"confirm-first"}},
	{wrong: cancelsConfirmed, fails: []string{"cancel-confirmed"}},
	{wrong: silentWhenUnknown, fails: []string{"unknown-step"}, silent: true},
	{wrong: smallBodies, fails: []string{"largest"}, silent: true},
	{wrong: diesOfBadMessages, fails: []string{"unreadable", "restart"}, brokerOnly: true, silent: true},
	{wrong: carriesOutAnyway, fails: []string{"unreadable"}},
	{wrong: wrongKey, fails: []string{"replies"}, brokerOnly: true},
	{wrong: newIDs, fails: []string{"replies"}, brokerOnly: true},
}

// Each kind of wrong fails the checks that it must, by the broker and by HTTP, and no others.
func TestWrongParticipants(t *testing.T) {
	t.Parallel()
	broker := testenv.Vhost(t)
	for _, w := range wrongs {
		t.Run(w.wrong, func(t *testing.T) {
			t.Parallel()
			timeout := patience
			if w.silent {
				timeout = briefly
			}
			require.Equal(t, w.fails, failing(byBroker(t, broker, newDesk(w.wrong), timeout)), "by the broker")
			if !w.brokerOnly {
				// There it is up to chance which of a race comes first.
				require.Equal(t, but(w.fails, "race"), but(failing(byHTTP(t, newDesk(w.wrong), timeout)), "race"), "by HTTP")
			}
		})
	}
}

// The message that did it is named.
func TestTheMessageThatStopsAParticipantIsNamed(t *testing.T) {
	t.Parallel()
	report := byBroker(t, testenv.Vhost(t), newDesk(diesOfBadMessages), briefly)
	for _, c := range report.Checks {
		if c.Check == "unreadable" {
			require.Equal(t, "REQUEST, attempt 1: succeeded, after a message with a body that is no JSON", c.Expected)
			require.Equal(t, "no answer within 5s", c.Came)
		}
	}
}

// A participant that takes all sagas for one can hardly do anything right; the check of
// that is among those that fail.
func TestAParticipantThatMixesSagas(t *testing.T) {
	t.Parallel()
	require.Contains(t, failing(byHTTP(t, newDesk(mixesSagas), patience)), "sagas")
}

// A desk that does everything right passes, also one that answers at first that it should
// be asked again.
func TestRightParticipants(t *testing.T) {
	t.Parallel()
	broker := testenv.Vhost(t)
	for _, kind := range []string{"", alwaysRetry} {
		for name, check := range map[string]func(*testing.T, *desk) run.Report{
			"by the broker": func(t *testing.T, d *desk) run.Report { return byBroker(t, broker, d, patience) },
			"by HTTP":       func(t *testing.T, d *desk) run.Report { return byHTTP(t, d, patience) },
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				d := newDesk(kind)
				report := check(t, d)
				require.Empty(t, failing(report))
				require.True(t, report.Holds)
				require.False(t, report.Unanswered)
				for _, c := range report.Checks {
					require.Equal(t, run.Holds, c.Result, c.Check)
				}
				require.Len(t, report.Standing, 2, "what was confirmed")
				require.Equal(t, strings.Contains(name, "broker"), report.Unreadable == len(conformance.Flaws()))
				standing := 0
				for _, s := range d.steps {
					if s.state == "succeeded" || s.state == "confirmed" {
						standing++
					}
				}
				require.Equal(t, 2, standing, "what a report calls taken back is so")
			})
		}
	}
}

// Who answers nothing is found out by the first check, and not asked twenty times.
func TestADeafParticipant(t *testing.T) {
	t.Parallel()
	began := time.Now()
	report := byHTTP(t, newDesk(deaf), time.Second)
	require.Less(t, time.Since(began), 30*time.Second)
	require.False(t, report.Holds)
	require.True(t, report.Unanswered)
	require.Equal(t, run.Fails, report.Checks[0].Result)
	require.Contains(t, report.Checks[0].Came, "202 Accepted")
	require.Equal(t, run.NotRun, report.Checks[1].Result)
}

// What is lost with the memory shows when the participant is restarted.
func TestAParticipantThatForgetsWhenItIsRestarted(t *testing.T) {
	t.Parallel()
	d := newDesk("")
	r := runner(patience)
	r.Restart = d.restart
	require.Equal(t, []string{"restart"}, failing(overHTTP(t, d, r)))
}

func runner(timeout time.Duration) run.Runner {
	return run.Runner{
		Subject: conformance.Subject{
			Step: "work", Payload: jsonmap.JSONMap{"cents": 5}, Refused: jsonmap.JSONMap{"refuse": true},
			Has: conformance.Needs{Confirm: true, Cancel: true, Refusal: true, Restart: true},
		},
		Service: "conformance-" + uuid.NewString()[:8], Timeout: timeout, Progress: func(string) {},
		Restart: func(context.Context) error { return nil },
	}
}

func byHTTP(t *testing.T, d *desk, timeout time.Duration) run.Report {
	t.Helper()
	return overHTTP(t, d, runner(timeout))
}

func overHTTP(t *testing.T, d *desk, r run.Runner) run.Report {
	t.Helper()
	server := httptest.NewServer(d)
	defer server.Close()
	carrier := run.NewHTTP(server.URL)
	defer carrier.Close()
	r.Carrier, r.Subject.URL = carrier, server.URL
	report, err := r.Run(t.Context())
	require.NoError(t, err)
	return report
}

func byBroker(t *testing.T, broker string, d *desk, timeout time.Duration) run.Report {
	t.Helper()
	service := "desk-" + uuid.NewString()[:8]
	d.serve(t, broker, service)
	r := runner(timeout)
	cfg := rabbit.Config{Name: "conformance", URL: func(context.Context) (string, error) { return broker, nil }}
	carrier, err := run.OpenBroker(t.Context(), cfg, r.Service, service, patience, r.Progress)
	require.NoError(t, err)
	r.Carrier, r.Subject.Destination = carrier, service
	report, err := r.Run(t.Context())
	require.NoError(t, err)
	require.NoError(t, carrier.Close(false))
	return report
}

func but(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}

// failing are the names of the checks that do not hold, in their order.
func failing(r run.Report) (names []string) {
	for _, c := range r.Checks {
		if c.Result == run.Fails || c.Result == run.NotRun && !strings.HasPrefix(c.Came, "without") {
			names = append(names, c.Check)
		}
	}
	return names
}
