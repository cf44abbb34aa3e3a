package cli

import (
	"os"

	"github.com/spf13/cobra"

	"go.example/saga/internal/app"
)

// Healthcheck is the command that a container's health check runs: it asks the
// daemon of that name on the same machine.
func Healthcheck(daemon string) *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use:     "healthcheck",
		Short:   "Ask the running " + daemon + " whether it is ready",
		Example: "  " + daemon + " healthcheck --addr 127.0.0.1:8081",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.CheckHealth(cmd.Context(), addr) },
	}
	cmd.Flags().StringVar(&addr, "addr", os.Getenv("HEALTH_ADDR"), "where it serves /readyz; default HEALTH_ADDR")
	return cmd
}
