// Package samplecmd holds the commands that every daemon of the sample has.
package samplecmd

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"go.example/saga/internal/app"
	"go.example/saga/internal/app/sample"
	"go.example/saga/internal/cli"
	"go.example/saga/internal/config"
)

const settingsHelp = `

Settings come from the environment, over those of the --config file:
DATABASE_URL, AMQP_URL, HEALTH_ADDR, LOG_LEVEL, LOG_FORMAT.`

// Participant is the command of a service that carries out one step of the saga.
func Participant(name, short string, serve func(context.Context, sample.Settings) error) *cobra.Command {
	root := &cobra.Command{Use: name, Short: short}
	root.AddCommand(
		Serve("Carry out the commands of the saga", short+"."+settingsHelp, func(ctx context.Context, file string) error {
			var settings sample.Settings
			if err := config.Load(file, &settings); err != nil {
				return cli.Usagef("%w", err)
			}
			return serve(ctx, settings)
		}),
		Healthcheck(),
	)
	return root
}

// Serve is the command that runs a daemon with the settings of a file, which may
// be "".
func Serve(short, long string, serve func(ctx context.Context, file string) error) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: short,
		Long:  long,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), file) },
	}
	cmd.Flags().StringVar(&file, "config", "", "YAML file with settings")
	return cmd
}

// Healthcheck is the command that a container's health check runs.
func Healthcheck() *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the running service whether it is ready",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return app.CheckHealth(cmd.Context(), addr) },
	}
	cmd.Flags().StringVar(&addr, "addr", os.Getenv("HEALTH_ADDR"), "where it serves /readyz; default HEALTH_ADDR")
	return cmd
}
