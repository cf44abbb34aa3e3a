package orchestratorcmd_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
)

func TestStartASaga(t *testing.T) {
	b := setup(t)
	b.fails(cli.ExitNotFound, "no such saga definition", "saga", "start", "trip", "--key", "K-1")
	b.ok("definition", "apply", b.file)
	payload := filepath.Join(t.TempDir(), "payload.json")
	require.NoError(t, os.WriteFile(payload, []byte(`{"amount": 9007199254740993}`), 0o600))
	out := b.ok("saga", "start", "trip", "--key", "K-1", "--payload", "@"+payload)
	id := b.text(`SELECT id::text FROM saga`)
	require.Equal(t, "saga "+id+" is started\n", out)
	require.Equal(t, "9007199254740993", b.text(`SELECT payload ->> 'amount' FROM saga`))
	require.Contains(t, b.ok("saga", "start", "trip", "--key", "K-1"), "was started before under this key")
	var answer struct {
		ID      string `json:"id"`
		Started bool   `json:"started"`
	}
	require.NoError(t, json.Unmarshal([]byte(b.ok("saga", "start", "trip", "--key", "K-1", "--json")), &answer))
	require.Equal(t, id, answer.ID)
	require.False(t, answer.Started)

	b.fails(cli.ExitUsage, "name the saga with --key", "saga", "start", "trip")
	b.fails(cli.ExitUsage, "--payload is not a JSON object", "saga", "start", "trip", "--key", "K-2", "--payload", "[1]")
	b.fails(cli.ExitUsage, "--payload: open", "saga", "start", "trip", "--key", "K-2", "--payload", "@"+payload+".missing")
	b.fails(cli.ExitUsage, "--key is not UTF-8 text", "saga", "start", "trip", "--key", "\xff")
	require.Equal(t, "K-1 STARTED", b.statuses())
}
