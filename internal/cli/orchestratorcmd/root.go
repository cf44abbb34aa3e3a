// Package orchestratorcmd is the command line of the orchestrator: run it, look at
// sagas and intervene, store definitions.
package orchestratorcmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"go.example/saga/internal/app"
	"go.example/saga/internal/app/orchestrator"
	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/quarantinecmd"
	"go.example/saga/internal/config"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
)

const rootHelp = `Drive sagas, and show where they stand.

SERVICE, DATABASE_URL, DATABASE_SCHEMA (public), AMQP_URL, BATCH_SIZE (100),
ORCHESTRATOR_RETENTION (0: for ever), QUARANTINE_KEEP_HANDLED (168h),
QUARANTINE_KEEP_DEAD (720h), WATCH_DEFINITIONS, HEALTH_ADDR, LOG_LEVEL, LOG_FORMAT.
SERVICE names the service whose sagas these are. ` + "`migrate`" + ` writes it into the database,
and participants answer to its queue. Only migrate needs it. Where run is given it,
another service's database is refused, and health is served before the database is there.
ADMIN_ADDRESS serves operators by HTTP, see /openapi.yaml there; beyond this machine
only with ADMIN_TOKEN or ADMIN_TOKEN_FILE, which the callers have to send.

` + config.Help + `

Exit codes: 0 done, 1 failed, 2 wrong arguments or settings, 3 not found,
4 refused (by a saga, or another plan is stored under that version).`

// New is the command "orchestrator".
func New() *cobra.Command {
	var o options
	root := &cobra.Command{
		Use:   "orchestrator",
		Short: "Drive sagas, and show where they stand",
		Long:  rootHelp,
		Example: `  SERVICE=reservation orchestrator migrate
  orchestrator definition apply deploy/room-reservation.yaml
  orchestrator run
  orchestrator status
  orchestrator saga list --status PARKED`,
	}
	root.PersistentFlags().StringVar(&o.config, "config", "", "YAML file with settings")
	definitions := &cobra.Command{
		Use: "definition", Short: "Check, store and look at saga definitions",
		Example: "  orchestrator definition apply deploy/room-reservation.yaml\n  orchestrator definition list",
	}
	definitions.AddCommand(newDefinitionLint(), newDefinitionApply(&o), newDefinitionMigrate(&o), newDefinitionList(&o), newDefinitionShow(&o), newDefinitionGraph(&o))
	root.AddCommand(newRun(&o), newStatus(&o), newMigrate(&o), newConformance(&o), cli.Healthcheck("orchestrator"), newSaga(&o), definitions, newSchema(), newWebhook(&o),
		quarantinecmd.New("orchestrator", o.quarantine))
	return root
}

// options are the flags that every command has.
type options struct{ config string }

func (o *options) settings() (orchestrator.Settings, error) {
	settings := orchestrator.DefaultSettings()
	if err := config.Load(o.config, &settings); err != nil {
		return settings, cli.Usagef("%w", err)
	}
	return settings, nil
}

// quarantine is that of the orchestrator's database.
func (o *options) quarantine() (quarantinecmd.Target, error) {
	settings, err := o.settings()
	return quarantinecmd.Target{Database: settings.Database, Schema: settings.DatabaseSchema, Broker: settings.Broker}, err
}

// withStore runs work with a connection to the database.
func (o *options) withStore(ctx context.Context, work func(*sagapg.Store, *pgxpool.Pool) error) error {
	settings, err := o.settings()
	if err != nil {
		return err
	}
	pool, err := app.OpenPool(ctx, settings.DatabaseAddress, "orchestrator-cli", 1)
	if err != nil {
		return cli.Usagef("%w", err)
	}
	defer pool.Close()
	service, err := sagasql.LoadService(ctx, pool, settings.DatabaseSchema, settings.Service)
	if err != nil {
		return misnamed(err)
	}
	return work(sagapg.New(settings.DatabaseSchema, service.Name), pool)
}

// misnamed marks the errors that another SERVICE or DATABASE_URL mends.
func misnamed(err error) error {
	if errors.Is(err, sagasql.ErrOtherService) || errors.Is(err, sagasql.ErrNoService) || errors.Is(err, inbox.ErrOwned) {
		return cli.Usagef("%w", err)
	}
	return err
}

func newRun(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Drive sagas until SIGTERM",
		Long: `Turn replies and due timers into the next commands until SIGINT or SIGTERM, then
finish the batch in hand. Several may run on the same database and queue.
Database and broker may come later and go away: work resumes by itself.
With WATCH_DEFINITIONS, files with definitions of the style choreography, it also
watches what services do that work together without it: see the view saga_overview.`,
		Example: `  DATABASE_URL=postgres://postgres@127.0.0.1:5432/saga_reservation \
  AMQP_URL=amqp://guest:guest@127.0.0.1:5672/ orchestrator run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := o.settings()
			if err != nil {
				return err
			}
			if err := settings.RequireBroker(); err != nil {
				return cli.Usagef("%w", err)
			}
			if _, err := settings.Choreographies(); err != nil {
				return cli.Usagef("%w", err)
			}
			return misnamed(orchestrator.Run(cmd.Context(), settings))
		},
	}
}

func newMigrate(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Create or update the tables: outbox, saga, inbox",
		Long: `Create or update the tables, and write into them whose they are: SERVICE. What the
name is once, it stays, and tables have one service. It may be run again at any time.`,
		Example: "  SERVICE=reservation DATABASE_URL=postgres://postgres@127.0.0.1:5432/saga_reservation orchestrator migrate",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := o.settings()
			if err != nil {
				return err
			}
			if err := settings.RequireService(); err != nil {
				return cli.Usagef("%w", err)
			}
			lines := []sagasql.Line{sagasql.Outbox, sagasql.Saga, sagasql.Inbox}
			if err := app.Migrate(cmd.Context(), settings.DatabaseAddress, settings.DatabaseSchema, settings.Service, lines...); err != nil {
				return misnamed(err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "the tables of outbox, saga and inbox are up to date and belong to the service %s\n", settings.Service)
			return err
		},
	}
}
