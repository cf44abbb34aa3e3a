// Package cluster breaks a RabbitMQ cluster of three nodes under the sample, in the ways in
// which clusters break, and measures what guests notice: `make cluster-test`. It reaches the
// cluster on each road that docs/operators.md knows: one address, a list, a proxy.
//
// The nodes and a PostgreSQL are its own. It takes a quarter of an hour, so that `make test`
// leaves it out.
package cluster

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"go.example/saga/internal/dev/instance"
	"go.example/saga/internal/testenv"
)

// wanted says that the test is to run.
var wanted = os.Getenv("CLUSTER") != ""

func TestMain(m *testing.M) {
	if !wanted {
		testenv.Main(m)
	}
	// Three stacks need more connections than a PostgreSQL has that others use as well.
	dir, err := os.MkdirTemp("", "saga-cluster-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	var postgres *instance.Postgres
	if err == nil {
		postgres, err = instance.NewPostgres(instance.PostgresSettings{
			Bin: instance.PostgresPrograms(""), Dir: dir + "/postgres", Options: []string{"-c", "max_connections=300", "-c", "fsync=off"},
		})
	}
	if err == nil {
		err = postgres.Start()
	}
	if err == nil {
		err = postgres.Ready(context.Background())
	}
	if err == nil {
		err = os.Setenv("DATABASE_URL", postgres.URL())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "start the test's PostgreSQL:", err)
		os.Exit(1)
	}
	code := testenv.Run(m, goleak.IgnoreCurrent()) // that waits for the server
	_ = postgres.End(syscall.SIGQUIT)              // the databases are dropped already
	_ = os.RemoveAll(dir)
	os.Exit(code)
}
