// Package relaycmd is the command line of the relay: run it, see how far it is,
// create the outbox tables, settle what could not be published.
package relaycmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"go.example/saga/internal/app"
	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/cli"
	"go.example/saga/internal/config"
	sagasql "go.example/saga/sql"
)

const rootHelp = `Publish the committed messages of one or more outboxes to RabbitMQ.

DATABASE_URLS (separated by white space or commas; postgres://host/database?schema=hotel names
the schema of its tables, and else it is DATABASE_SCHEMA, or public), AMQP_URL, HEALTH_ADDR,
LOG_LEVEL, LOG_FORMAT, RELAY_SHARDS (as it is), RELAY_POLL_ONLY (false),
RELAY_LEASE (5s), RELAY_WINDOW (2048 messages that a crash may repeat), RELAY_PAGE (1024 rows a
read), RELAY_RETRY_FOR (24h, then a refused message is dead),
RELAY_RETENTION (168h, then published rows are dropped by the partition),
RELAY_PARTITION_ROWS (1000000).
Steps with transport http are called by the relay: HTTP_TARGETS (none: the origins that may be called,
as https://pay.example.com,http://10.0.0.7:8080), HTTP_PRIVATE_ADDRESSES (false: true lets names stand
for private addresses), HTTP_CALLS_PER_HOST (64 at a time), HTTP_TIMEOUT (10s a call).
HEALTH_ADDR serves /livez, /readyz and /metrics; OTEL_EXPORTER_OTLP_ENDPOINT takes traces:
the variables of OpenTelemetry are honoured or refused (docs/metrics.md).
DATABASE_URLS_FILE holds the list instead; run follows it when it changes.

` + config.Help + `

Exit codes: 0 done, 1 failed, 2 wrong arguments or settings.`

// New is the command "relay".
func New() *cobra.Command {
	var o options
	root := &cobra.Command{
		Use:   "relay",
		Short: "Publish the committed messages of outboxes to RabbitMQ",
		Long:  rootHelp,
		Example: `  relay migrate
  relay migrate --participant payment
  relay run
  relay status
  relay parked list`,
	}
	root.PersistentFlags().StringVar(&o.config, "config", "", "YAML file with settings")
	root.AddCommand(newRun(&o), newStatus(&o), newMigrate(&o), newParked(&o), newReplay(&o), newAdopt(&o), cli.Healthcheck("relay"))
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
	var shards int
	var pollOnly bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Publish until SIGTERM",
		Long: `Publish what is committed to the outboxes until SIGINT or SIGTERM, then wait for
the confirms in flight and release the leases. Databases and broker may come later
and go away: the backlog drains by itself.

Messages of one aggregate_id are published in order, one after the other. Several
relays on the same database share its shards out among themselves, and take those of
a dead one over; with one shard, which is the default, the others stand by.`,
		Example: `  DATABASE_URLS="postgres://postgres@127.0.0.1:5432/saga_hotel postgres://postgres@127.0.0.1:5432/saga_payment" \
  AMQP_URL=amqp://guest:guest@127.0.0.1:5672/ relay run
  relay run --config relay.yaml
  relay run --shards 8`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := o.settings()
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("shards") {
				settings.Shards = shards
			}
			settings.PollOnly = settings.PollOnly || pollOnly
			if err := errors.Join(settings.RequireBroker(), settings.Validate(), app.CheckTracing()); err != nil {
				return cli.Usagef("%w", err)
			}
			return usage(relay.Run(cmd.Context(), settings))
		},
	}
	cmd.Flags().IntVar(&shards, "shards", 0, "set the number of shards of each outbox (0: leave it), RELAY_SHARDS")
	cmd.Flags().BoolVar(&pollOnly, "poll-only", false, "do not listen for NOTIFY, RELAY_POLL_ONLY")
	return cmd
}

func newMigrate(o *options) *cobra.Command {
	var service string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Create or update the outbox tables of every database",
		Long: `Create or update the outbox tables of every database of the list. With --participant
SERVICE prepare the one database of a service that takes part in sagas, written in whatever
language: its outbox, its barrier, its name with the mark of its queues, and a quarantine, which
only a participant in Go uses. docs/protocol.md says how to go on.

It may be repeated at any time. What psql has made of the files in sql/ is recognised.`,
		Example: `  DATABASE_URLS=postgres://postgres@127.0.0.1:5432/saga_hotel relay migrate
  DATABASE_URLS=postgres://postgres@127.0.0.1:5432/payment relay migrate --participant payment`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := o.settings()
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("participant") {
				if err := sagasql.CheckServiceName(service); err != nil {
					return cli.Usagef("--participant: %w", err)
				}
				if settings.Adopt.Table != "" {
					return cli.Usagef("adopt: a participant answers into an outbox of its own: use a --config file without this section")
				}
				database, err := relay.MigrateParticipant(cmd.Context(), settings, service)
				if err == nil {
					fmt.Fprintf(cmd.OutOrStdout(), "%s: the tables of the participant %s are up to date\n"+
						"name this database in DATABASE_URLS of a relay that runs, and declare the queue saga.command.%s (docs/protocol.md)\n",
						database, service, service)
				}
				return usage(err)
			}
			return usage(relay.Migrate(cmd.Context(), settings, func(database string) {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: the outbox tables are up to date\n", database)
			}))
		},
	}
	cmd.Flags().StringVar(&service, "participant", "", "prepare the database of the participant of this name, its `SERVICE`")
	return cmd
}
