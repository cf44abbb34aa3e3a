package orchestratorcmd

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"go.example/saga/internal/app/orchestrator"
	"go.example/saga/internal/cli"
	"go.example/saga/pkg/saga"
)

func newStatus(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the sagas that run, their timers, the outbox and the broker",
		Long: `Show whether sagas get on: what runs, how late timers are, what is set aside, whether
a relay publishes the database's messages and who consumes the queues. It asks the
database and the broker, not the orchestrator, so that it also works where none runs.
Exit code 1 when one of them cannot be reached or used, no orchestrator, relay or
participant is at work, timers are overdue, sagas are parked, or sagas stand still because
this program cannot follow their plan.`,
		Example: "  orchestrator status\n  orchestrator status --json | jq '.queues[] | select(.consumers == 0)'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := o.settings()
			if err != nil {
				return err
			}
			status, err := orchestrator.ReadStatus(cmd.Context(), settings)
			if err != nil {
				return cli.Usagef("%w", err)
			}
			show := printStatus
			if asJSON {
				show = func(w io.Writer, s orchestrator.Status) error { return cli.JSON(w, s) }
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

// printStatus prints one line, and below it what is counted by kind and what went wrong
// in full: errors are too long for a column.
func printStatus(w io.Writer, s orchestrator.Status) error {
	header := []string{"DATABASE", "SERVICE", "STATE", "SAGAS", "PARKED", "OVERDUE", "QUARANTINE", "UNPUBLISHED", "RELAY", "BROKER"}
	if err := cli.Table(w, header, [][]string{statusRow(s)}); err != nil {
		return err
	}
	for _, c := range s.Sagas {
		fmt.Fprintf(w, "sagas of %s: %d %s\n", cli.Line(c.Type), c.Count, c.Status)
	}
	for _, plan := range s.UnknownPlans {
		fmt.Fprintf(w, "sagas that stand still: %s\n", cli.Line(plan))
	}
	for _, q := range s.Queues {
		fmt.Fprintf(w, "queue %s: %s, %s\n", cli.Line(q.Name), cli.Plural(q.Consumers, "consumer"), cli.Plural(q.Messages, "message"))
	}
	if s.LastError != "" {
		fmt.Fprintf(w, "%s: %s\n", s.Database, s.LastError)
	}
	for _, o := range s.Outbox {
		if o.LastError != "" {
			fmt.Fprintf(w, "outbox, shard %d: %s\n", o.Shard, o.LastError)
		}
	}
	if s.OutboxError != "" {
		fmt.Fprintf(w, "outbox: %s\n", s.OutboxError)
	}
	if brokerWord(s) == "unreachable" {
		fmt.Fprintf(w, "broker: %s\n", s.Broker)
	}
	return nil
}

// statusRow shows a dash for what is not known.
func statusRow(s orchestrator.Status) []string {
	sagas, parked, overdue, quarantine := "-", "-", "-", "-"
	if s.State == orchestrator.StateActive || s.State == orchestrator.StateOverdue || s.State == orchestrator.StateNoOrchestrator {
		all := 0
		for _, c := range s.Sagas {
			all += c.Count
		}
		sagas, parked, quarantine = strconv.Itoa(all), strconv.Itoa(s.Count(saga.StatusParked)), strconv.Itoa(s.Quarantined)
	}
	if s.OverdueSeconds > 0 {
		overdue = (time.Duration(s.OverdueSeconds) * time.Second).String()
	}
	unpublished, relays := outboxColumns(s)
	return []string{s.Database, cmp.Or(s.Service, "-"), s.State, sagas, parked, overdue, quarantine, unpublished, relays, brokerWord(s)}
}

// outboxColumns are the messages that wait, and the relays that serve the shards.
func outboxColumns(s orchestrator.Status) (unpublished, relays string) {
	if len(s.Outbox) == 0 {
		return "-", "-"
	}
	var pending int64
	var holders []string
	for _, o := range s.Outbox {
		pending += o.Pending
		holder := o.Holder
		if holder == "" {
			holder = "none"
		}
		holders = append(holders, holder)
	}
	return strconv.FormatInt(pending, 10), strings.Join(holders, ", ")
}

func brokerWord(s orchestrator.Status) string {
	if s.Broker == orchestrator.BrokerReachable || s.Broker == orchestrator.BrokerUnknown {
		return s.Broker
	}
	return "unreachable"
}
