package orchestratorcmd_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/rabbit"
	sagasql "go.example/saga/sql"
)

func TestMigrateNeedsTheServicesName(t *testing.T) {
	b := empty(t)
	t.Setenv("SERVICE", "")
	b.fails(cli.ExitUsage, "SERVICE", "migrate")
	t.Setenv("SERVICE", "no name")
	b.fails(cli.ExitUsage, `"no name" is no name of a service`, "migrate")
}

// What is said of the service must be what the tables say; commands that look need not be told.
func TestADatabaseOfAnotherService(t *testing.T) {
	b := setup(t)
	t.Setenv("AMQP_URL", testenv.Vhost(t))
	t.Setenv("SERVICE", "")
	b.ok("saga", "list")
	t.Setenv("SERVICE", "others")
	for _, args := range [][]string{{"migrate"}, {"run"}, {"saga", "list"}} {
		b.fails(cli.ExitUsage, `this one is "trips"'s, not "others"'s`, args...)
	}
}

// Two databases have a service of one name: the second orchestrator ends, and takes nothing.
func TestAQueueOfAnotherServiceEndsTheRun(t *testing.T) {
	b := setup(t)
	url := testenv.Vhost(t)
	t.Setenv("AMQP_URL", url)
	require.NoError(t, rabbit.Declare(t.Context(), rabbit.Config{
		Name: "test", URL: func(context.Context) (string, error) { return url, nil },
	}, rabbit.ReplyTopology(sagasql.Service{Name: testenv.Service, ID: testenv.Owner.ID})))
	for _, service := range []string{testenv.Service, ""} { // the tables say it where nobody does
		t.Setenv("SERVICE", service)
		b.fails(cli.ExitUsage, "two services have one name", "run")
	}
}
