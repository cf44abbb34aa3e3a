// Command versions tries the project on the versions of PostgreSQL and RabbitMQ that this
// machine does not have: `make versions-test`. It fetches them into a folder outside of the
// project, starts each pair on ports of its own, and runs the sample under load and the
// suite of tests against it.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "versions:", err)
		os.Exit(1)
	}
}

// run tries each pair, and goes on with the next one when one fails.
func run(ctx context.Context) error {
	dir, err := filepath.Abs(cmp.Or(os.Getenv("VERSIONS_DIR"), "/var/tmp/saga-versions"))
	if err != nil {
		return err
	}
	s := suite{
		out: os.Stdout, dir: dir, only: os.Getenv("PAIR"), reservations: cmp.Or(os.Getenv("RESERVATIONS"), "200"),
		packages: strings.Fields(cmp.Or(os.Getenv("SUITE"), "./pkg/... ./sql/... ./internal/... ./test/e2e/... ./test/fault/...")),
	}
	if err := fetch(ctx, dir); err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PostgreSQL\tRabbitMQ\tsample\tsuite\ttook\tload")
	var errs []error
	for _, p := range pairs(dir) {
		if s.only != "" && !strings.Contains(p.name, s.only) {
			continue
		}
		began := time.Now()
		r, err := s.try(ctx, p)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", r.postgres, r.rabbit, verdict(r.sample), verdict(r.suite),
			time.Since(began).Round(time.Second), load())
	}
	return errors.Join(append(errs, table.Flush())...)
}

// verdict is for the table: the reasons stand in the logs.
func verdict(failed *bool) string {
	switch {
	case failed == nil:
		return "-"
	case *failed:
		return "FAILED"
	}
	return "right"
}

// load is the machine's in the last minutes, for what is slow may only be busy.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 3 {
		return "?"
	}
	return strings.Join(fields[:3], " ")
}
