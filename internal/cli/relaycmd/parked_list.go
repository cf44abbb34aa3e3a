package relaycmd

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/cli"
	"go.example/saga/pkg/outbox/outboxpg"
)

const maxListed = 10_000

// parkedIn is what is parked in one database.
type parkedIn struct {
	Database string                 `json:"database"`
	Counts   []outboxpg.ParkedCount `json:"counts"`
	Messages []outboxpg.Parked      `json:"messages,omitempty"`
}

func newParkedList(o *options) *cobra.Command {
	var chosen parkedFlags
	var limit int
	var summary, asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List parked messages, the newest first, and count them",
		Long: `List the parked messages of all databases, the newest first, and how many there are
of each state and reason. Discarded messages are left out unless --state names them.`,
		Example: `  relay parked list
  relay parked list --summary
  relay parked list --state dead --older-than 1h --limit 20
  relay parked list --json | jq '.[].messages[].id'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := chosen.filter(append([]outboxpg.ParkState{outboxpg.Discarded}, outboxpg.Discardable...))
			if err != nil {
				return err
			}
			if limit < 1 || limit > maxListed {
				return cli.Usagef("--limit is %d, want 1 to %d", limit, maxListed)
			}
			settings, err := o.settings()
			if err != nil {
				return err
			}
			found := []parkedIn{} // none is [], not null
			failed := relay.EachOutbox(cmd.Context(), settings, chosen.database, func(outbox relay.Outbox) error {
				in := parkedIn{Database: outbox.Database}
				var err error
				if in.Counts, err = outbox.Log.CountParked(cmd.Context(), filter); err == nil && !summary {
					in.Messages, err = outbox.Log.Parked(cmd.Context(), filter, limit)
				}
				if err == nil {
					found = append(found, in)
				}
				return err
			})
			show := printParked
			if asJSON {
				show = func(w io.Writer, in []parkedIn) error { return cli.JSON(w, in) }
			}
			return cmp.Or(show(cmd.OutOrStdout(), found), usage(failed))
		},
	}
	chosen.register(cmd)
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many of each database")
	cmd.Flags().BoolVar(&summary, "summary", false, "only the counts by state and reason")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printParked(w io.Writer, found []parkedIn) error {
	var messages, counts [][]string
	for _, in := range found {
		for _, m := range in.Messages {
			messages = append(messages, append([]string{in.Database}, messageRow(m)...))
		}
		for _, c := range in.Counts {
			counts = append(counts, append([]string{in.Database}, countRow(c)...))
		}
	}
	if len(counts) == 0 {
		if len(found) > 0 {
			fmt.Fprintln(w, "No parked message matches.")
		}
		return nil
	}
	if len(messages) > 0 {
		if err := cli.Table(w, append([]string{"DATABASE"}, messageHeader...), messages); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	return cli.Table(w, append([]string{"DATABASE"}, countHeader...), counts)
}

var messageHeader = []string{"ID", "STATE", "REASON", "ATTEMPTS", "PARKED", "NEXT", "TYPE", "KEY", "DESTINATION", "WHY"}

func messageRow(m outboxpg.Parked) []string {
	next := "-"
	if m.NextAt != nil {
		next = moment(*m.NextAt)
	}
	return []string{
		fmt.Sprint(m.ID), string(m.State), dash(m.Reason), fmt.Sprint(m.Attempts), moment(m.ParkedAt), next,
		dash(m.Type), m.AggregateID, destination(m.Exchange, m.RoutingKey), dash(cli.Short(why(m))),
	}
}

// why is what an operator wants to read of a message first.
func why(m outboxpg.Parked) string {
	switch m.State {
	case outboxpg.Waiting:
		return "behind an earlier one of its key"
	case outboxpg.Discarded, outboxpg.Scheduled:
		return m.Note
	default:
		return m.Error
	}
}

var countHeader = []string{"STATE", "REASON", "MESSAGES", "OLDEST"}

func countRow(c outboxpg.ParkedCount) []string {
	return []string{string(c.State), dash(c.Reason), fmt.Sprint(c.Messages), moment(c.OldestParkedAt)}
}

func destination(exchange, routingKey string) string {
	if exchange == "" {
		return "queue " + routingKey
	}
	return exchange + " " + routingKey
}

func dash(s string) string { return cmp.Or(s, "-") }

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }
