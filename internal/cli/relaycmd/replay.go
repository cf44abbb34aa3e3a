package relaycmd

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/cli"
	"go.example/saga/pkg/outbox/outboxpg"
)

const replayHelp = `Publish messages once more that have been published and are still kept, in the order
of their ids. Those that are pending or parked are left alone.

Consumers see the same message ids as before: one that keeps an inbox drops them as
duplicates, another does its work once more.

--from and --to take an outbox.id, a time (RFC 3339) or an age (2h30m), and belong to
the stretch. A message's time is the start of the transaction that appended it.

Without --yes it only shows what it would do.`

// replayFlags are the flags that choose messages to replay.
type replayFlags struct {
	from, to            string
	key, kind, exchange optionalText
	discarded           bool
}

func newReplay(o *options) *cobra.Command {
	var chosen replayFlags
	var signed signature
	var database string
	var yes bool
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Publish published messages once more",
		Long:  replayHelp,
		Example: `  relay replay --from 2h --type reservation.placed
  relay replay --from 2026-03-01T12:00:00Z --to 2026-03-01T13:00:00Z --exchange saga.events
  relay replay --from 1200 --to 1300 --key r-17 --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := chosen.filter(cmd)
			if err != nil {
				return err
			}
			settings, err := o.settings()
			if err != nil {
				return err
			}
			return usage(relay.OneOutbox(cmd.Context(), settings, database, func(outbox relay.Outbox) error {
				if yes {
					return replay(cmd, outbox, filter, signed.text("replayed"))
				}
				return dryReplay(cmd, outbox, filter)
			}))
		},
	}
	flags := cmd.Flags()
	databaseFlag(cmd, &database)
	flags.StringVar(&chosen.from, "from", "", "from this id, time or age on")
	flags.StringVar(&chosen.to, "to", "", "up to this id, time or age")
	flags.Var(&chosen.key, "key", "only messages of this aggregate_id")
	flags.Var(&chosen.kind, "type", "only messages of this type")
	flags.Var(&chosen.exchange, "exchange", `only messages to this exchange; "" is the default one`)
	flags.BoolVar(&chosen.discarded, "discarded", false, "messages that an operator discarded, too")
	signed.register(cmd)
	flags.BoolVar(&yes, "yes", false, "do it, instead of showing what would be done")
	return cmd
}

func (r *replayFlags) filter(cmd *cobra.Command) (outboxpg.ReplayFilter, error) {
	f := outboxpg.ReplayFilter{
		AggregateID: r.key.value, Type: r.kind.value, Exchange: r.exchange.value, Discarded: r.discarded,
	}
	if !slices.ContainsFunc([]string{"from", "to", "key", "type", "exchange"}, cmd.Flags().Changed) {
		return f, cli.Usagef("%s: say which messages: at least one of --from, --to, --key, --type, --exchange", cmd.CommandPath())
	}
	var err error
	if cmd.Flags().Changed("from") {
		if f.From, err = bound("--from", r.from); err != nil {
			return f, err
		}
	}
	if cmd.Flags().Changed("to") {
		f.To, err = bound("--to", r.to)
	}
	return f, err
}

// bound reads an id, an age or a time.
func bound(flag, text string) (outboxpg.ReplayBound, error) {
	if id, err := strconv.ParseInt(text, 10, 64); err == nil && id > 0 {
		return outboxpg.ReplayBound{ID: id}, nil
	}
	if age, err := time.ParseDuration(text); err == nil && age > 0 {
		return outboxpg.ReplayBound{Age: age}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return outboxpg.ReplayBound{Time: at}, nil
	}
	return outboxpg.ReplayBound{}, cli.Usagef(
		"%s %q is neither the id of a message, nor an age like 2h30m, nor a time like 2026-03-01T12:00:00Z", flag, text)
}

func dryReplay(cmd *cobra.Command, outbox relay.Outbox, filter outboxpg.ReplayFilter) error {
	count, err := outbox.Log.CountReplay(cmd.Context(), filter, replayProgress(cmd))
	if err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	if count.Found == 0 {
		fmt.Fprintf(w, "%s: no message matches that could be published once more.\n", outbox.Database)
		tellAlone(w, count)
		return nil
	}
	fmt.Fprintf(w, "%s: %s would be published once more, created %s to %s.\n",
		outbox.Database, cli.Plural(count.Found, "message"), moment(*count.Oldest), moment(*count.Newest))
	tellAlone(w, count)
	fmt.Fprintln(w, "Consumers see the same message ids as before, and drop them as duplicates if they keep an inbox.")
	tellYes(cmd)
	return nil
}

func replay(cmd *cobra.Command, outbox relay.Outbox, filter outboxpg.ReplayFilter, note string) error {
	count, err := outbox.Log.Replay(cmd.Context(), filter, note, replayProgress(cmd))
	if err != nil {
		return fmt.Errorf("%s will be published once more; for the rest repeat the command with --from=%d: %w",
			cli.Plural(count.Replayed, "message"), count.LastID+1, err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s will be published once more.\n", outbox.Database, cli.Plural(count.Replayed, "message"))
	tellAlone(cmd.OutOrStdout(), count)
	return nil
}

func replayProgress(cmd *cobra.Command) func(outboxpg.ReplayCount) {
	var seldom cli.Throttle
	seldom.Ready() // not at once
	return func(count outboxpg.ReplayCount) {
		if seldom.Ready() {
			fmt.Fprintf(cmd.ErrOrStderr(), "found %d up to id %d\n", count.Found, count.LastID)
		}
	}
}

func tellAlone(w io.Writer, c outboxpg.ReplayCount) {
	if c.Pending+c.Parked+c.Discarded > 0 {
		fmt.Fprintf(w, "Left alone: %d pending, %d parked, %d discarded.\n", c.Pending, c.Parked, c.Discarded)
	}
}
