package relaycmd

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/cli"
	"go.example/saga/pkg/outbox/adopt"
)

const adoptHelp = `Make a table that somebody else made the outbox of every database: one that was
made for Debezium, or by another library. Its writers stay as they are.

The section adopt of the --config file says how its rows are messages. The relay
sees the table through a view called outbox in DATABASE_SCHEMA, a schema of its
own, and the table gets the columns and indexes that the relay needs. Without
--yes the SQL is printed and nothing is changed. What is there already is left
as it is, so large tables can be prepared by hand, step by step.

  database_schema: relay
  adopt:
    table: shop.outboxevent
    existing: skip                # or publish: the rows that are there now
    columns: {event_id: id, aggregate_type: aggregatetype, aggregate_id: aggregateid,
              type: type, payload: payload}
    exchange: events
    routing_key: "{aggregatetype}.{type}"

Run it again after a change of the mapping.`

func newAdopt(o *options) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "adopt",
		Short:   "Relay a table that somebody else made",
		Long:    adoptHelp,
		Example: "  relay adopt --config relay.yaml        # shows what would be done\n  relay adopt --config relay.yaml --yes  # does it",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := o.settings()
			if err != nil {
				return err
			}
			if err := settings.Adopt.Validate(); err != nil {
				return cli.Usagef("adopt: %w", err)
			}
			changes := false
			err = relay.Adopt(cmd.Context(), settings, yes, func(database string, plan adopt.Plan) {
				changes = changes || !plan.Done()
				showPlan(cmd.OutOrStdout(), database, plan)
			})
			if changes && !yes {
				fmt.Fprintln(cmd.ErrOrStderr(), "nothing was changed: add --yes to do it")
			}
			return usage(err)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return cmd
}

// showPlan prints SQL that could be run as it stands.
func showPlan(w io.Writer, database string, plan adopt.Plan) {
	if plan.Done() {
		fmt.Fprintf(w, "-- %s: nothing to do\n", database)
		return
	}
	fmt.Fprintf(w, "-- %s\n", database)
	for _, note := range plan.Notes {
		fmt.Fprintf(w, "-- %s\n", note)
	}
	for _, step := range plan.Steps {
		fmt.Fprintf(w, "\n%s\n", step)
	}
	if plan.RelayTables {
		fmt.Fprintln(w, "\n-- And the relay's own tables, as its migrations make them.")
	}
}
