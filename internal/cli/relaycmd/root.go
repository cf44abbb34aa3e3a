// Package relaycmd is the command line of the relay: run it, see how far it is,
// create the outbox tables.
package relaycmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/cli"
	"go.example/saga/internal/config"
)

const rootHelp = `Publish the committed messages of one or more outboxes to RabbitMQ.

Settings come from the environment, over those of the --config file:
DATABASE_URLS (separated by white space or commas), DATABASE_SCHEMA (public),
AMQP_URL, HEALTH_ADDR, LOG_LEVEL, LOG_FORMAT, RELAY_WINDOW (1024 unconfirmed
messages), RELAY_PAGE (1024 rows a read), RELAY_LEASE (5s).

Exit codes: 0 done, 1 failed, 2 wrong arguments or settings.`

// New is the command "relay".
func New() *cobra.Command {
	var o options
	root := &cobra.Command{
		Use:   "relay",
		Short: "Publish the committed messages of outboxes to RabbitMQ",
		Long:  rootHelp,
		Example: `  relay migrate
  relay run
  relay status`,
	}
	root.PersistentFlags().StringVar(&o.config, "config", "", "YAML file with settings")
	root.AddCommand(newRun(&o), newStatus(&o), newMigrate(&o), cli.Healthcheck("relay"))
	return root
}

// options are the flags that every command has.
type options struct{ config string }

func (o *options) settings() (relay.Settings, error) {
	settings := relay.DefaultSettings()
	if err := config.Load(o.config, &settings); err != nil {
		return settings, cli.Usagef("%w", err)
	}
	return settings, nil
}

// usage gives wrong settings their exit code.
func usage(err error) error {
	if errors.Is(err, relay.ErrSettings) {
		return cli.Usagef("%w", err)
	}
	return err
}

func newRun(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Publish until SIGTERM",
		Long: `Publish what is committed to the outboxes until SIGINT or SIGTERM, then wait for
the confirms in flight and release the leases. A second relay on the same
database stands by and takes over when the first is gone. Databases and broker
may come later and go away: the backlog drains by itself.`,
		Example: `  DATABASE_URLS="postgres://postgres@127.0.0.1:5432/saga_hotel postgres://postgres@127.0.0.1:5432/saga_payment" \
  AMQP_URL=amqp://guest:guest@127.0.0.1:5672/ relay run
  relay run --config relay.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := o.settings()
			if err != nil {
				return err
			}
			if err := settings.RequireBroker(); err != nil {
				return cli.Usagef("%w", err)
			}
			return usage(relay.Run(cmd.Context(), settings))
		},
	}
}

func newMigrate(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "migrate",
		Short:   "Create or update the outbox tables of every database",
		Example: "  DATABASE_URLS=postgres://postgres@127.0.0.1:5432/saga_hotel relay migrate",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := o.settings()
			if err != nil {
				return err
			}
			return usage(relay.Migrate(cmd.Context(), settings, func(database string) {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: the outbox tables are up to date\n", database)
			}))
		},
	}
}
