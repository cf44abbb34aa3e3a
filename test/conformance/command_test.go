package conformance

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/conformance/run"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/rabbit"
)

func TestWrongArguments(t *testing.T) {
	t.Parallel()
	for says, args := range map[string][]string{
		"either --destination":         {},
		"or --url":                     {"--destination", "a", "--url", "http://127.0.0.1"},
		"--destination: ":              {"--destination", "a b"},
		"--url is not like":            {"--url", "127.0.0.1:80"},
		"--step is":                    {"--url", "http://127.0.0.1", "--step", "a/b"},
		"--timeout is 0s":              {"--url", "http://127.0.0.1", "--timeout", "0s"},
		"there is no check":            {"--url", "http://127.0.0.1", "--only", "all"},
		"no such file":                 {"--url", "http://127.0.0.1", "--payload", "nowhere.json"},
		"--refused-payload: ":          {"--url", "http://127.0.0.1", "--refused-payload", file(t, "[]")},
		"set AMQP_URL, for example am": {"--destination", "till"},
	} {
		code, out, errs := command(t, "", args...)
		require.Equal(t, cli.ExitUsage, code, "%s: %s", says, errs)
		require.Contains(t, errs, says)
		require.Empty(t, out)
	}
}

func TestNobodyToCheck(t *testing.T) {
	t.Parallel()
	code, _, errs := command(t, testenv.Vhost(t), "--destination", "nobody", "--timeout", "3s")
	require.Equal(t, cli.ExitFailed, code)
	require.Contains(t, errs, "waits for the participant\n", "the progress")
	require.Contains(t, errs, "there is no queue saga.command.nobody, within 3s: start the participant")

	code, out, errs := command(t, "", "--url", "http://127.0.0.1:1", "--timeout", "1s")
	require.Equal(t, cli.ExitFailed, code)
	require.Regexp(t, `(?m)^request +FAILS .*connection refused`, out)
	require.Contains(t, errs, "checks do not hold")
}

// The table names what was wrong, what came and the rule; so does the JSON.
func TestWhatDoesNotHoldIsTold(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newDesk(anotherOutput))
	defer server.Close()
	code, out, errs := command(t, "", "--url", server.URL, "--only", "redelivery,cancel-first")
	require.Equal(t, cli.ExitFailed, code)
	require.Regexp(t, `(?m)^request +holds `, out)
	require.Regexp(t, `(?m)^redelivery +FAILS +REQUEST, attempt 1: as before, succeeded \{"receipt":"\S+"\} +succeeded \{"receipt":"\S+"\}: another output +docs/protocol.md#redelivery-order-and-time$`, out)
	require.Regexp(t, `(?m)^cancel-first +holds `, out)
	require.Regexp(t, `(?m)^refusal +left out .* not among --only`, out)
	require.Contains(t, errs, "1 of 20 checks do not hold")

	code, out, _ = command(t, "", "--url", server.URL, "--only", "redelivery", "--json")
	require.Equal(t, cli.ExitFailed, code)
	var report run.Report
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.False(t, report.Holds)
	require.Equal(t, []string{"redelivery"}, failing(report))

	code, _, errs = command(t, "", "--url", server.URL, "--only", "restart", "--restart", "exit 3")
	require.Equal(t, cli.ExitFailed, code)
	require.Contains(t, errs, "--restart: exit status 3")
}

// Answers that are late have a place to go: a participant's relay would keep them else.
func TestTheQueueStaysForLateAnswers(t *testing.T) {
	t.Parallel()
	broker := testenv.Vhost(t)
	newDesk(deaf).serve(t, broker, "deaf")
	code, out, errs := command(t, broker, "--destination", "deaf", "--timeout", "3s")
	require.Equal(t, cli.ExitFailed, code)
	require.Contains(t, errs, "check 1 of 19, request: waits for 1 answers, ", "the progress")
	require.Regexp(t, `(?m)^request +FAILS +REQUEST, attempt 1: succeeded +no answer within 3s`, out)
	require.Regexp(t, `(?m)^redelivery +not run`, out)
	queue := regexp.MustCompile(`saga\.replies\.conformance-[0-9a-f]{8}`).FindString(out)
	require.NotEmpty(t, queue, out)
	cfg := rabbit.Config{Name: "look", URL: func(context.Context) (string, error) { return broker, nil }}
	states, err := rabbit.Inspect(t.Context(), cfg, queue)
	require.NoError(t, err)
	require.True(t, states[0].Exists)
}
