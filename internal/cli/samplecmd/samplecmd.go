// Package samplecmd holds the commands that every daemon of the sample has.
package samplecmd

import (
	"context"

	"github.com/spf13/cobra"

	"go.example/saga/internal/app/sample"
	"go.example/saga/internal/cli"
	"go.example/saga/internal/config"
)

const settingsHelp = `

Settings come from the environment, over those of the --config file:
DATABASE_URL, AMQP_URL (one broker or several), HEALTH_ADDR, LOG_LEVEL, LOG_FORMAT.
Percent-encode special characters in passwords.`

// Participant is the command of a service that carries out one step of the saga.
func Participant(name, short string, serve func(context.Context, sample.Settings) error) *cobra.Command {
	root := &cobra.Command{Use: name, Short: short, Example: "  " + name + " serve"}
	root.AddCommand(
		Serve(name, "Carry out the commands of the saga", short+"."+settingsHelp, func(ctx context.Context, file string) error {
			var settings sample.Settings
			if err := config.Load(file, &settings); err != nil {
				return cli.Usagef("%w", err)
			}
			return serve(ctx, settings)
		}),
		cli.Healthcheck(name),
	)
	return root
}

// Serve is the command that runs a daemon with the settings of a file, which may
// be "".
func Serve(name, short, long string, serve func(ctx context.Context, file string) error) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: short,
		Long:  long,
		Example: "  DATABASE_URL=postgres://postgres@127.0.0.1:5432/saga_" + name + " \\\n" +
			"  AMQP_URL=amqp://guest:guest@127.0.0.1:5672/ " + name + " serve",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), file) },
	}
	cmd.Flags().StringVar(&file, "config", "", "YAML file with settings")
	return cmd
}
