package orchestratorcmd_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/pkg/saga"
)

const withCar = `name: trip
version: 2
steps:
  - name: hotel
    group: stay
  - name: car
    group: stay
  - name: flight
    type: pivot
`

func TestDefinitionMigrate(t *testing.T) {
	b := setup(t)
	b.ok("definition", "apply", b.file)
	b.fails(cli.ExitNotFound, "`orchestrator definition apply FILE`", "definition", "migrate", "trip", "--to", "2")
	b.saga("K-1")
	flies := b.saga("K-2", reply("hotel", saga.Request, saga.OutcomeSucceeded))
	b.write(withCar)
	b.ok("definition", "apply", b.file)

	misfit := "1 of 2 sagas do not fit version 2"
	dry := b.refused(misfit, "definition", "migrate", "trip", "--to", "2", "--dry-run")
	golden(t, "migrate.txt", steady(dry))
	require.Equal(t, "2", b.text(`SELECT count(*)::text FROM saga WHERE definition_version = 1`))
	done := b.refused(misfit, "definition", "migrate", "trip", "--to", "2", "--from", "1", "--who", "ada")
	require.Equal(t, strings.Replace(dry, "would be moved", "moved", 1), done)
	require.Equal(t, "K-1 ada", b.text(`SELECT business_key || ' ' || who FROM saga JOIN saga_history ON saga_id = id
		WHERE kind = 'migrate' AND definition_version = 2`))

	again := b.refused("1 of 1 saga do not fit", "definition", "migrate", "trip", "--to", "2", "--json")
	var told struct {
		Definition string
		To, Moved  int
		DryRun     bool
		Kept       []struct {
			Reason string
			Count  int
			First  []string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(again), &told))
	require.Equal(t, []string{flies}, told.Kept[0].First)
	require.Equal(t, 0, told.Moved)
	b.write(strings.Replace(document, "trip", "tour", 1))
	b.ok("definition", "apply", b.file)
	require.Equal(t, "0 sagas of tour would be moved to version 1.\n", b.ok("definition", "migrate", "tour", "--to", "1", "--dry-run"))
}

func TestWrongUseOfMigrate(t *testing.T) {
	b := setup(t)
	b.ok("definition", "apply", b.file)
	for _, c := range []struct {
		want string
		args []string
	}{
		{"needs the definition's name", []string{"--to", "2"}},
		{"with --to", []string{"trip"}},
		{"with --to", []string{"trip", "--to", "-1"}},
		{"with --to", []string{"trip", "--to", "2147483648"}},
		{"no version", []string{"trip", "--to", "1", "--from", "0"}},
		{"the same version", []string{"trip", "--to", "1", "--from", "1"}},
		{"who it was is missing", []string{"trip", "--to", "1", "--who", ""}},
	} {
		b.fails(cli.ExitUsage, c.want, append([]string{"definition", "migrate"}, c.args...)...)
	}
	b.fails(cli.ExitNotFound, "no such saga definition", "definition", "migrate", "tour", "--to", "1")
	b.fails(cli.ExitNotFound, "version 7", "definition", "migrate", "trip", "--to", "1", "--from", "7")
}
