package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"go.example/saga/internal/dev/services"
)

func newServicesCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "services",
		Short: "Find or start PostgreSQL and RabbitMQ, stop them, show them",
	}
	command.AddCommand(
		&cobra.Command{
			Use: "up", Args: cobra.NoArgs, RunE: servicesUp,
			Short: "Find or start the servers; create the sample's databases and virtual host",
		},
		&cobra.Command{
			Use: "down", Args: cobra.NoArgs, RunE: servicesDown,
			Short: "Stop the servers that `up` started, and no others",
		},
		&cobra.Command{
			Use: "drop", Args: cobra.NoArgs, RunE: servicesDrop,
			Short: "Drop the databases and virtual hosts of the sample and of tests",
		},
		&cobra.Command{
			Use: "status", Args: cobra.NoArgs, RunE: servicesStatus,
			Short: "Show the servers and what the project made on them",
		},
		&cobra.Command{
			Use: "env", Args: cobra.NoArgs, RunE: servicesEnv,
			Short: `Print the variables for a shell: eval "$(go run ./internal/dev services env)"`,
		},
	)
	return command
}

// progress reports to standard error, each line with the seconds since the start.
func progress(cmd *cobra.Command) services.Report {
	began := time.Now()
	return func(format string, args ...any) {
		fmt.Fprintf(cmd.ErrOrStderr(), "services %5.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
}

func servicesUp(cmd *cobra.Command, _ []string) error {
	report := progress(cmd)
	set, err := services.Up(cmd.Context(), report)
	if err != nil {
		return err
	}
	describe(set, report)
	report("the project makes and marks databases and virtual hosts named saga_* there, and touches no others; `make drop` removes them")
	if err := services.InstallTestTools(cmd.Context(), report); err != nil {
		report("some tests will fail: %v", err)
	}
	_, err = set.Prepare(cmd.Context(), report)
	return err
}

func describe(set services.Set, report services.Report) {
	report("PostgreSQL %d at %s (%s)", set.Postgres.Version, services.Redact(set.Postgres.URL), set.Postgres.Way)
	report("RabbitMQ %s at %s (%s)", set.Broker.Version, services.Redact(set.Broker.URL), set.Broker.Way)
}

func servicesDown(cmd *cobra.Command, _ []string) error {
	return services.Down(cmd.Context(), progress(cmd))
}

func servicesDrop(cmd *cobra.Command, _ []string) error {
	set, err := services.Locate(cmd.Context())
	if err != nil {
		return err
	}
	return set.Drop(cmd.Context(), progress(cmd))
}

func servicesStatus(cmd *cobra.Command, _ []string) error {
	set, err := services.Locate(cmd.Context())
	if err != nil {
		return err
	}
	databases, err := set.Postgres.Databases(cmd.Context())
	if err != nil {
		return err
	}
	vhosts, err := set.Broker.Vhosts(cmd.Context())
	if err != nil {
		return err
	}
	out := func(format string, args ...any) { fmt.Fprintf(cmd.OutOrStdout(), format+"\n", args...) }
	describe(set, out)
	out("databases: %s", strings.Join(databases, " "))
	out("virtual hosts: %s", strings.Join(vhosts, " "))
	return nil
}

func servicesEnv(cmd *cobra.Command, _ []string) error {
	set, err := services.Locate(cmd.Context())
	if err != nil {
		return err
	}
	for _, variable := range set.Environment() {
		name, value, _ := strings.Cut(variable, "=")
		fmt.Fprintf(cmd.OutOrStdout(), "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
	}
	return nil
}
