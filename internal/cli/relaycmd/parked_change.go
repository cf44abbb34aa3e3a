package relaycmd

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/cli"
	"go.example/saga/pkg/outbox/outboxpg"
)

// change is what an operator does to many parked messages.
type change struct {
	verb, done string
	states     []outboxpg.ParkState // that it can be done to
	left       string               // what becomes of messages in the other states
	apply      func(*outboxpg.Log, context.Context, outboxpg.ParkedFilter, string, func(int64)) (int64, error)
}

func newParkedRetry(o *options) *cobra.Command {
	return newChange(o, change{
		verb: "retry", done: "retried", states: outboxpg.Retryable,
		left:  "wait behind an earlier one and follow it by themselves, or are scheduled",
		apply: (*outboxpg.Log).RetryParked,
	}, &cobra.Command{
		Use:   "retry",
		Short: "Try dead messages again, and refused ones at once",
		Long: `Let the relay try messages again at once that are dead or would be tried later. The
time in which a message is retried starts anew.

Without --yes it only shows what it would do.`,
		Example: `  relay parked retry --state dead --reason unroutable
  relay parked retry --id 4711 --yes
  relay parked retry --all --database saga_hotel --yes`,
	})
}

func newParkedDiscard(o *options) *cobra.Command {
	return newChange(o, change{
		verb: "discard", done: "discarded", states: outboxpg.Discardable,
		apply: (*outboxpg.Log).DiscardParked,
	}, &cobra.Command{
		Use:   "discard",
		Short: "Give messages up: they are never published",
		Long: `Give parked messages up: they are never published, and those that wait behind them go
on. A discarded message stays to be seen with --state discarded, with --note and who it
was, for as long as the outbox keeps it; relay replay --discarded brings it back.

Without --yes it only shows what it would do.`,
		Example: `  relay parked discard --state dead --reason invalid --note "sent by a broken release"
  relay parked discard --id 4711 --note "customer is gone" --yes`,
	})
}

func newChange(o *options, c change, cmd *cobra.Command) *cobra.Command {
	var chosen parkedFlags
	var all, yes bool
	var signed signature
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		filter, err := chosen.filter(c.states)
		if err != nil {
			return err
		}
		if narrowed(cmd) == all {
			return cli.Usagef("%s: say which messages: either --all or one of --id, --state, --reason, --key, --type, "+
				"--exchange, --routing-key, --older-than", cmd.CommandPath())
		}
		if c.verb == "discard" && signed.note == "" {
			return cli.Usagef("%s: say why with --note", cmd.CommandPath())
		}
		settings, err := o.settings()
		if err != nil {
			return err
		}
		return usage(relay.OneOutbox(cmd.Context(), settings, chosen.database, func(outbox relay.Outbox) error {
			counts, err := outbox.Log.CountParked(cmd.Context(), filter)
			if err != nil {
				return err
			}
			fit, left := c.split(counts)
			switch {
			case messages(fit) == 0:
				fmt.Fprintf(cmd.OutOrStdout(), "%s: no parked message matches that could be %s.\n", outbox.Database, c.done)
				c.tellLeft(cmd.OutOrStdout(), left)
				return nil
			case !yes:
				return c.dryRun(cmd, outbox, filter, fit, left)
			default:
				return c.run(cmd, outbox, filter, messages(fit), signed.text(c.done))
			}
		}))
	}
	chosen.register(cmd)
	signed.register(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all messages of the database that can be "+c.done)
	cmd.Flags().BoolVar(&yes, "yes", false, "do it, instead of showing what would be done")
	return cmd
}

// split tells the counts that the change applies to from the others.
func (c change) split(counts []outboxpg.ParkedCount) (fit []outboxpg.ParkedCount, left int64) {
	for _, count := range counts {
		if slices.Contains(c.states, count.State) {
			fit = append(fit, count)
		} else {
			left += count.Messages
		}
	}
	return fit, left
}

func messages(counts []outboxpg.ParkedCount) (n int64) {
	for _, count := range counts {
		n += count.Messages
	}
	return n
}

func (c change) tellLeft(w io.Writer, left int64) {
	if left > 0 {
		fmt.Fprintf(w, "Others: %d that %s.\n", left, c.left)
	}
}

// dryRun shows what would be changed, with some examples.
func (c change) dryRun(
	cmd *cobra.Command, outbox relay.Outbox, filter outboxpg.ParkedFilter, fit []outboxpg.ParkedCount, left int64,
) error {
	const examples = 3
	if filter.States == nil {
		filter.States = c.states
	}
	some, err := outbox.Log.Parked(cmd.Context(), filter, examples)
	if err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	fmt.Fprintf(w, "%s: %s would be %s.\n", outbox.Database, cli.Plural(messages(fit), "parked message"), c.done)
	c.tellLeft(w, left)
	if err := cli.Table(w, countHeader, rows(fit, countRow)); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nFor example:")
	if err := cli.Table(w, messageHeader, rows(some, messageRow)); err != nil {
		return err
	}
	tellYes(cmd)
	return nil
}

func (c change) run(cmd *cobra.Command, outbox relay.Outbox, filter outboxpg.ParkedFilter, of int64, note string) error {
	var seldom cli.Throttle
	changed, err := c.apply(outbox.Log, cmd.Context(), filter, note, func(changed int64) {
		if changed < of && seldom.Ready() {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s %d of %d\n", c.done, changed, of)
		}
	})
	if err != nil {
		return fmt.Errorf("%s %d of %d, repeat the command for the rest: %w", c.done, changed, of, err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s %s.\n", outbox.Database, c.done, cli.Plural(changed, "message"))
	return nil
}

func rows[T any](list []T, row func(T) []string) [][]string {
	var all [][]string
	for _, item := range list {
		all = append(all, row(item))
	}
	return all
}

// tellYes ends a dry run with the command that does it.
func tellYes(cmd *cobra.Command) {
	fmt.Fprintf(cmd.OutOrStdout(), "\nNothing has been changed. To do it:\n  %s\n",
		cli.Spoken(cmd, nil)+" --yes")
}
