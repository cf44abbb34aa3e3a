package relaycmd

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/cli"
	"go.example/saga/internal/testenv"
	sagasql "go.example/saga/sql"
)

// A relay follows the file with its list of databases: one that is new is relayed, one that
// has left is given up, and while the file cannot be read the former list holds.
func TestRunFollowsItsList(t *testing.T) {
	t.Parallel()
	one, two := testenv.Database(t, sagasql.Outbox), testenv.Database(t, sagasql.Outbox)
	list := filepath.Join(t.TempDir(), "databases")
	write := func(text string) {
		t.Helper()
		// As a secret is mounted: the file is there at each moment, old or new.
		require.NoError(t, os.WriteFile(list+".new", []byte(text), 0o600))
		require.NoError(t, os.Rename(list+".new", list))
	}
	of := func(pools ...*pgxpool.Pool) (text string) {
		for _, pool := range pools {
			text += pool.Config().ConnString() + "\r\n"
		}
		return "\ufeff" + text
	}
	write(of(one))
	common := "amqp_url: " + testenv.Vhost(t) + "\nlog_level: error\nrelay_lease: 1s\n"
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	file := configFile(t, "database_urls_file: "+list+"\n"+common)
	go func() {
		root := New()
		root.SetArgs([]string{"run", "--config", file})
		ended <- cli.Run(ctx, root)
	}()
	look := configFile(t, "database_urls: "+one.Config().ConnString()+" "+two.Config().ConnString()+"\n")
	await := func(want ...string) {
		t.Helper()
		require.Eventually(t, func() bool {
			_, out, _ := command(t, t.Context(), look, "status", "--json")
			var status relay.Status
			require.NoError(t, json.Unmarshal([]byte(out), &status))
			states := make([]string, len(status.Shards))
			for i, s := range status.Shards {
				states[i] = s.State
			}
			return slices.Equal(states, want)
		}, 60*time.Second, 50*time.Millisecond, want)
	}
	await(relay.StateActive, relay.StateNoRelay)
	write(of(two, one))
	await(relay.StateActive, relay.StateActive)
	write(of(two))
	await(relay.StateNoRelay, relay.StateActive)
	write("postgres://half an address")
	write(of(one, two))
	await(relay.StateActive, relay.StateActive)
	cancel()
	require.Equal(t, cli.ExitOK, <-ended)
}
