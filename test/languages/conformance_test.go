package languages

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/orchestratorcmd"
	"go.example/saga/internal/config"
	checks "go.example/saga/internal/conformance/run"
	"go.example/saga/internal/testenv"
)

// Each participant passes `orchestrator conformance`, with a user's script that kills and
// restarts it among a hundred commands.
func TestForeignParticipantsConform(t *testing.T) {
	t.Parallel()
	testenv.Connections(t, 40)
	broker, roles := testenv.Vhost(t), testenv.DocumentedRoles(t)
	for _, l := range languages {
		t.Run(l.folder, func(t *testing.T) {
			f := enter(t, l, roles, broker)
			inBackground(t, "relay", func(ctx context.Context) error {
				r := relay.DefaultSettings()
				r.DatabaseURLs, r.AMQPURL, r.LogLevel = config.Secret(roles.URL(t, f.db, "saga_relay")), config.Secret(broker), "error"
				return relay.Run(ctx, r)
			})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			require.NoError(t, f.await(ctx, "SELECT count(*) FROM outbox_position WHERE lease_until > now()", 1))
			f.start(0)
			report := conform(t, broker, f)
			require.True(t, report.Holds)
			for _, c := range report.Checks {
				want := checks.Holds
				if strings.Contains(c.Check, "confirm") && c.Check != "confirm-first" {
					want = checks.LeftOut // there is no CONFIRM
				}
				require.Equal(t, want, c.Result, "%s: %s", c.Check, c.Came)
			}
			require.Empty(t, report.Standing)
			require.NoError(t, f.await(ctx, "SELECT count(DISTINCT saga_id) FROM saga_barrier", len(report.Sagas)))
			var sum int
			require.NoError(t, f.db.QueryRow(ctx, fmt.Sprintf(`SELECT coalesce(sum(%s), 0) FROM %s`, l.column, l.table)).Scan(&sum))
			require.Zero(t, sum, "was not taken back")
		})
	}
}

// conform runs the command. The restart is a shell script, which asks for it by a file and
// waits until the file is gone.
func conform(t *testing.T, broker string, f *foreign) (report checks.Report) {
	t.Helper()
	folder := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		name = filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		return name
	}
	asked := filepath.Join(folder, "restart")
	ended, stopped := make(chan struct{}), make(chan struct{})
	restarts := 0
	go func() {
		defer close(stopped)
		look := time.NewTicker(5 * time.Millisecond)
		defer look.Stop()
		for {
			select {
			case <-look.C:
				if _, err := os.Stat(asked); err == nil {
					f.kill(0)
					f.start(0)
					restarts++
					_ = os.Remove(asked) // the script waits on, and the test fails
				}
			case <-ended:
				return
			}
		}
	}()
	script := write("restart.sh", fmt.Sprintf("touch '%[1]s'\nwhile [ -e '%[1]s' ]; do sleep 0.01; done\n", asked))
	var out, errs bytes.Buffer
	root := orchestratorcmd.New()
	root.SetArgs([]string{
		"conformance", "--destination", f.service, "--step", f.service, "--json", "--timeout", "2m", "--restart", "sh " + script,
		"--payload", write("ok.json", fmt.Sprintf(`{%q: 3}`, f.column)), "--refused-payload", write("no.json", fmt.Sprintf(`{%q: %d}`, f.column, f.refused)),
		"--config", write("settings.yaml", fmt.Sprintf("amqp_url: %q\n", broker)),
	})
	root.SetOut(&out)
	root.SetErr(&errs)
	code := cli.Run(t.Context(), root)
	close(ended)
	<-stopped
	require.Equal(t, cli.ExitOK, code, "%s%s", out.String(), errs.String())
	require.Equal(t, 1, restarts)
	require.NoError(t, json.Unmarshal(out.Bytes(), &report))
	return report
}
