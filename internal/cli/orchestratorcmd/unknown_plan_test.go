package orchestratorcmd_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/orchestratorcmd"
	"go.example/saga/internal/testenv"
)

// The daemon runs though it cannot follow the plan of one saga, says so everywhere, and the
// saga can be killed.
func TestRunWithAnUnknownPlan(t *testing.T) {
	b := setup(t)
	b.ok("definition", "apply", b.file)
	id, other := b.saga("K-1"), b.saga("K-2")
	b.exec(`INSERT INTO saga_definition (name, version, spec, hash)
		SELECT 'newer', 1, jsonb_set(spec, '{steps,0,kind}', '"teleport"'), hash FROM saga_definition`)
	b.exec(`UPDATE saga SET type = 'newer' WHERE id = $1`, id)
	t.Setenv("AMQP_URL", testenv.Vhost(t))
	addr := freeAddr(t)
	t.Setenv("HEALTH_ADDR", addr)
	t.Setenv("LOG_LEVEL", "error")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	root := orchestratorcmd.New()
	root.SetArgs([]string{"run"})
	go func() { ended <- cli.Run(ctx, root) }()

	said := func(path string) string {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, http.NoBody)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return ""
		}
		defer func() { _ = response.Body.Close() }()
		text, _ := io.ReadAll(response.Body)
		return response.Status + "\n" + string(text)
	}
	require.Eventually(t, func() bool { return strings.Contains(said("/readyz"), "1 of newer version 1: ") }, soon, tick)
	require.Contains(t, said("/readyz"), "200 OK")
	require.Contains(t, said("/metrics"), `saga_orchestrator_unknown_plan_sagas{service="`+testenv.Service+`",type="newer",version="1"} 1`)

	b.publishReply(other)
	require.Eventually(t, func() bool {
		_, out, _ := run(t, "saga", "show", other)
		return strings.Contains(out, "hotel ✓ → flight …")
	}, soon, tick, "others go on")

	out := b.ok("saga", "show", id)
	require.Contains(t, out, "stands still  definition newer version 1: the stored saga definition is not understood by this program")
	require.Contains(t, b.ok("saga", "list"), id)
	_, status, _ := run(t, "status")
	require.Contains(t, status, "sagas that stand still: 1 of newer version 1: ")
	code, _, errs := run(t, "saga", "retry", id)
	require.NotZero(t, code)
	require.Contains(t, errs, "not understood")
	b.ok("saga", "kill", "--reason", "of a newer program", id)
	require.Contains(t, b.ok("saga", "show", id), "KILLED")
	stop()
	require.Equal(t, cli.ExitOK, <-ended)
}
