// Package samplecmd holds the commands that every daemon of the sample has.
package samplecmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"go.example/saga/internal/app"
	"go.example/saga/internal/app/sample"
	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/quarantinecmd"
	"go.example/saga/internal/config"
	"go.example/saga/internal/sample/lookup"
	sagasql "go.example/saga/sql"
)

const settingsHelp = `

DATABASE_URL, DATABASE_SCHEMA (public), AMQP_URL, HEALTH_ADDR, LOG_LEVEL, LOG_FORMAT,
SERVICE (the program's name): what sagas call it as the destination of their steps,
QUARANTINE_KEEP_HANDLED (168h), QUARANTINE_KEEP_DEAD (720h; 0 keeps them for ever),
CHOREOGRAPHY (false): also react to what other services publish, without an orchestrator.

` + config.Help + `

It creates or updates its tables first. A role that may not do so needs none of that
where ` + "`migrate`" + ` was run before, see docs/roles.md.`

const handlerHelp = `

HANDLER_WORKERS (4) transactions run side by side. HANDLER_BUDGET (500ms) bounds the work
of one of them, HANDLER_LIMIT (30s) one command. BARRIER_REMEMBER (2160h; 0: for ever) is for
how long a saga is remembered; commands for older ones are refused.`

const readsHelp = `

LISTEN_ADDR, for example 127.0.0.1:8082, serves an HTTP interface that shows the %s of a saga,
GET %s, described at /openapi.json. Where it is not set there is none.`

// Participant is the command of a service that carries out steps of the saga.
func Participant(short string, service sample.Participant) *cobra.Command {
	name := service.Name
	root := &cobra.Command{Use: name, Short: short, Example: "  " + name + " serve"}
	long := short + "." + settingsHelp + handlerHelp + reads(service.Things)
	root.AddCommand(
		Serve(name, "Carry out the commands of the saga", long, func(ctx context.Context, file string) error {
			settings := sample.DefaultParticipantSettings(name)
			if err := errors.Join(config.Load(file, &settings), settings.RequireBroker()); err != nil {
				return cli.Usagef("%w", err)
			}
			return service.Serve(ctx, settings)
		}),
		Migrate(name, sample.ParticipantLines(service.Lines...)...),
		Quarantine(name),
		cli.Healthcheck(name),
	)
	return root
}

func reads(things []string) string {
	paths := make([]string, len(things))
	for i, thing := range things {
		paths[i] = lookup.Path(thing, "{saga}")
	}
	return fmt.Sprintf(readsHelp, strings.Join(things, " and the "), strings.Join(paths, ", "))
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

// Quarantine is the command for what the daemon's consumer has set aside.
func Quarantine(name string) *cobra.Command {
	var file string
	cmd := quarantinecmd.New(name, func() (quarantinecmd.Target, error) {
		settings := sample.DefaultSettings(name)
		if err := config.Load(file, &settings); err != nil {
			return quarantinecmd.Target{}, cli.Usagef("%w", err)
		}
		return quarantinecmd.Target{Database: settings.Database, Schema: settings.DatabaseSchema, Broker: settings.Broker}, nil
	})
	cmd.PersistentFlags().StringVar(&file, "config", "", "YAML file with settings")
	return cmd
}

// Migrate is the command that makes a daemon's tables, for a role that may, and ends.
func Migrate(name string, lines ...sagasql.Line) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:     "migrate",
		Short:   "Create or update the tables",
		Example: "  DATABASE_URL=postgres://postgres@127.0.0.1:5432/saga_" + name + " " + name + " migrate",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings := sample.DefaultSettings(name)
			if err := config.Load(file, &settings); err != nil {
				return cli.Usagef("%w", err)
			}
			if err := app.Migrate(cmd.Context(), settings.DatabaseAddress, settings.DatabaseSchema, settings.Service, lines...); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "the tables of %s are up to date\n", name)
			return err
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "YAML file with settings")
	return cmd
}
