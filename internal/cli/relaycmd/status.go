package relaycmd

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/cli"
)

func newStatus(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show position, backlog and broker of every database and shard",
		Long: `Show for every database who publishes, how far it is and what waits. It asks the
databases and the broker, not the relay. Exit code 1 when one of them cannot be
reached, no relay is at work, a log stands still, messages are dead, or something
else needs a person: a right that is missing, with the statement that gives it,
partitions that nobody makes, another number of shards than RELAY_SHARDS says.`,
		Example: "  relay status\n  relay status --json | jq '.shards[] | select(.pending > 0)'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := o.settings()
			if err != nil {
				return err
			}
			status, err := relay.ReadStatus(cmd.Context(), settings)
			if err != nil {
				return usage(err)
			}
			show := table
			if asJSON {
				show = func(w io.Writer, s relay.Status) error { return cli.JSON(w, s) }
			}
			if err := show(cmd.OutOrStdout(), status); err != nil {
				return err
			}
			if !status.OK() {
				return errors.New("not everything is reachable and at work")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// row shows a dash for what is not known.
func row(d relay.ShardStatus, broker string) []string {
	holder, position, pending, oldest := "-", "-", "-", "-"
	if d.Holder != "" {
		holder = d.Holder
	}
	if d.State != relay.StateUnreachable && d.State != relay.StateNoTables && d.State != relay.StateError {
		pending = strconv.FormatInt(d.Pending, 10)
	}
	if d.PublishedID > 0 {
		position = strconv.FormatInt(d.PublishedID, 10)
	}
	if d.Pending > 0 {
		oldest = (time.Duration(d.OldestSeconds) * time.Second).String()
	}
	return []string{d.Database, strconv.Itoa(d.Shard), d.State, holder, position, pending, oldest, broker}
}

// table prints the databases, and below them what went wrong in full: errors are
// too long for a column.
func table(w io.Writer, s relay.Status) error {
	broker := s.Broker
	if broker != relay.BrokerReachable && broker != relay.BrokerUnknown {
		broker = "unreachable"
	}
	rows := make([][]string, len(s.Shards))
	for i, d := range s.Shards {
		rows[i] = row(d, broker)
	}
	if err := cli.Table(w, []string{"DATABASE", "SHARD", "STATE", "HOLDER", "POSITION", "PENDING", "OLDEST", "BROKER"}, rows); err != nil {
		return err
	}
	for _, p := range s.Parked {
		fmt.Fprintf(w, "%s: %s\n", p.Database, strings.TrimSpace(fmt.Sprint(p.Messages, " parked messages: ", p.State, " ", p.Reason)))
	}
	for _, d := range s.Shards {
		if d.LastError != "" {
			fmt.Fprintf(w, "%s, shard %d: %s\n", d.Database, d.Shard, d.LastError)
		}
		if d.TimelineChangedAt != nil {
			fmt.Fprintf(w, "%s, shard %d: failed over to timeline %d before %s; commits may have been lost in this database alone\n",
				d.Database, d.Shard, d.Timeline, d.TimelineChangedAt.UTC().Format(time.RFC3339))
		}
	}
	for _, p := range s.Problems {
		fmt.Fprintf(w, "%s, %s: %s\n", p.Database, p.Task, p.Problem)
	}
	if broker == "unreachable" {
		fmt.Fprintf(w, "broker: %s\n", s.Broker)
	}
	return nil
}
