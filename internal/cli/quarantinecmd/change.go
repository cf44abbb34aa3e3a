package quarantinecmd

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
	"go.example/saga/pkg/inbox/quarantine"
)

// change is what an operator does to many messages.
type change struct {
	verb, done string
	needsNote  bool
	apply      func(ctx context.Context, s *quarantine.Store, t Target, f quarantine.Filter, by quarantine.Signature, progress func(int64)) (outcome, error)
}

// outcome is what became of the messages, for programs too.
type outcome struct {
	DryRun    bool                 `json:"dryRun"`
	Matching  int64                `json:"matching"` // that were held or dead when the command began
	Retried   int64                `json:"retried"`
	Discarded int64                `json:"discarded"`
	Refused   []quarantine.Refusal `json:"refused"`
}

func (c *command) retry() *cobra.Command {
	return c.changes(change{
		verb: "retry", done: "put back",
		apply: func(ctx context.Context, s *quarantine.Store, t Target, f quarantine.Filter, by quarantine.Signature, progress func(int64)) (outcome, error) {
			broker, err := c.broker(ctx, t)
			if err != nil {
				return outcome{}, err
			}
			defer func() { _ = broker.Close() }() // each message has its answer
			result, err := s.Retry(ctx, f, broker, by, progress)
			return outcome{Retried: result.Retried, Refused: result.Refused}, err
		},
	}, &cobra.Command{
		Use:   "retry",
		Short: "Put messages back into the queue from which they came",
		Long: `Put messages back into the queue from which they came, as they were: the same properties,
headers and body. Held ones need no help: their consumer does that by itself. Mend the cause
first; one that fails again is set aside again. After an
interruption a few messages may come twice, which their consumers notice.

Without --yes it only shows what it would do.`,
		Example: "  " + c.program + " quarantine retry --reason failing --note \"the table is mended\"\n" +
			"  " + c.program + " quarantine retry --id 4711 --yes",
	})
}

func (c *command) discard() *cobra.Command {
	return c.changes(change{
		verb: "discard", done: "discarded", needsNote: true,
		apply: func(ctx context.Context, s *quarantine.Store, _ Target, f quarantine.Filter, by quarantine.Signature, progress func(int64)) (outcome, error) {
			n, err := s.Discard(ctx, f, by, progress)
			return outcome{Discarded: n}, err
		},
	}, &cobra.Command{
		Use:   "discard",
		Short: "Give messages up: they are never processed",
		Long: `Give messages up: they are never processed. They stay to be seen with --state discarded,
with --note and who it was.

Without --yes it only shows what it would do.`,
		Example: "  " + c.program + " quarantine discard --reason undecodable --note \"sent by a broken release\"\n" +
			"  " + c.program + " quarantine discard --id 4711 --note \"customer is gone\" --yes",
	})
}

// changes completes the command. Its flags choose messages, or --all does.
func (c *command) changes(change change, cmd *cobra.Command) *cobra.Command {
	var chosen choice
	var all, yes, asJSON bool
	var by quarantine.Signature
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		filter, err := chosen.filter()
		if err != nil {
			return err
		}
		if narrowed(cmd) == all {
			return cli.Usagef("%s: say which messages: either --all or one of --id, --consumer, --reason, --saga, --older-than", cmd.CommandPath())
		}
		if change.needsNote && by.Note == "" {
			return cli.Usagef("%s: say why with --note", cmd.CommandPath())
		}
		by.By = cmp.Or(by.By, cli.Whoami())
		return c.withStore(cmd.Context(), func(s *quarantine.Store, t Target) error {
			matching, err := s.Count(cmd.Context(), filter)
			switch {
			case err != nil:
				return err
			case !yes || matching == 0:
				return change.dryRun(cmd, s, filter, matching, yes, asJSON)
			}
			return change.run(cmd, s, t, filter, by, matching, asJSON)
		})
	}
	chosen.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&by.Note, "note", "", "why, to be kept with the messages")
	flags.StringVar(&by.By, "by", "", "who does it; default the user and the host")
	flags.BoolVar(&all, "all", false, "all messages that are held or dead")
	flags.BoolVar(&yes, "yes", false, "do it, instead of showing what would be done")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// dryRun shows what would be changed, with some examples.
func (c change) dryRun(cmd *cobra.Command, s *quarantine.Store, f quarantine.Filter, matching int64, yes, asJSON bool) error {
	w := cmd.OutOrStdout()
	if asJSON {
		return cli.JSON(w, outcome{DryRun: !yes, Matching: matching, Refused: []quarantine.Refusal{}})
	}
	if matching == 0 {
		fmt.Fprintf(w, "No message that waits matches that could be %s.\n", c.done)
		return nil
	}
	const shown, examples = 20, 3
	groups, err := s.Groups(cmd.Context(), f, shown)
	if err != nil {
		return err
	}
	some, err := s.List(cmd.Context(), f, examples)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s would be %s.\n", cli.Plural(matching, "message"), c.done)
	if err := printGroups(w, groups); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nFor example:")
	if err := printMessages(w, some); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nNothing has been changed. To do it:\n  %s\n", cli.Spoken(cmd, nil)+" --yes")
	return nil
}

func (c change) run(cmd *cobra.Command, s *quarantine.Store, t Target, f quarantine.Filter, by quarantine.Signature, matching int64, asJSON bool) error {
	var seldom cli.Throttle
	done, err := c.apply(cmd.Context(), s, t, f, by, func(n int64) {
		if n < matching && seldom.Ready() {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s %d of %d\n", c.done, n, matching)
		}
	})
	done.Matching, done.Refused = matching, append([]quarantine.Refusal{}, done.Refused...)
	changed := done.Retried + done.Discarded
	if asJSON {
		err = cmp.Or(err, cli.JSON(cmd.OutOrStdout(), done))
	} else {
		fmt.Fprintf(cmd.OutOrStdout(), "%s %s.\n", c.done, cli.Plural(changed, "message"))
		tellRefused(cmd.OutOrStdout(), done.Refused)
	}
	if err != nil {
		return fmt.Errorf("%s %d of %d, repeat the command for the rest: %w", c.done, changed, matching, err)
	}
	if n := len(done.Refused); n > 0 {
		return cli.Refusedf("%s cannot be %s and stay as they were", cli.Plural(n, "message"), c.done)
	}
	return nil
}

func tellRefused(w io.Writer, refused []quarantine.Refusal) {
	const shown = 20
	for i, r := range refused {
		if i == shown {
			fmt.Fprintf(w, "… and %d more\n", len(refused)-shown)
			return
		}
		fmt.Fprintf(w, "message %d: %s\n", r.ID, cli.Line(r.Why))
	}
}
