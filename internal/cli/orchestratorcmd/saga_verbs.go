package orchestratorcmd

import (
	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
)

// verb is a command that tells sagas something.
type verb struct {
	verb                 saga.Verb
	done                 string
	short, long, example string
	reason               bool // that it needs one
}

var verbs = []verb{
	{
		verb: saga.RetryNow, done: "retried",
		short: "Send the commands that wait for a reply once more",
		long: `Send the commands that wait for a reply once more at once, past their budget too: all
of the saga's, or that of --step. A parked saga goes on. The participants see the
same key as before, and do nothing twice.`,
		example: `  orchestrator saga retry 0193c0de-0000-7000-8000-000000000001
  orchestrator saga retry --park-reason 'attempts spent' --step payment --reason "payment is back"`,
	},
	{
		verb: saga.Skip, done: "skipped", reason: true,
		short: "Declare what a step waits for done, and go on",
		long: `Take your word for it that what a step waits for is done, and go on. --output, a JSON
object, becomes the step's output. Where several steps wait, --step names one.
If the saga goes back later, a step that was skipped is cancelled like any other.`,
		example: `  orchestrator saga skip 0193c0de-0000-7000-8000-000000000001 --reason "paid by telephone" --output '{"receipt": "T-17"}'
  orchestrator saga skip --key room-reservation/R-4711 --step payment --reason "paid at the desk"`,
	},
	{
		verb: saga.Abort, done: "aborted", reason: true,
		short: "Turn sagas back: compensate what may have taken effect",
		long: `Turn sagas back that still go forward: everything that may have taken effect is
compensated. Refused once a step that cannot be undone may have taken effect.`,
		example: `  orchestrator saga abort 0193c0de-0000-7000-8000-000000000001 --reason "guest has called"
  orchestrator saga abort --type room-reservation --older-than 24h --reason "sold out"`,
	},
	{
		verb: saga.Kill, done: "killed", reason: true,
		short: "End sagas where they stand, without compensating",
		long: `End sagas where they stand. Nothing is compensated: what took effect stays, and
nobody looks after it any more. Prefer abort, or skip.`,
		example: `  orchestrator saga kill 0193c0de-0000-7000-8000-000000000001 --reason "settled by hand, ticket 17"`,
	},
	{
		verb: saga.Pause, done: "paused",
		short: "Let sagas begin nothing until they are resumed",
		long: `Let sagas begin nothing until they are resumed. Replies to what is under way are
still taken.`,
		example: `  orchestrator saga pause --type room-reservation --status STARTED --reason "payment is being moved"`,
	},
	{
		verb: saga.Resume, done: "resumed",
		short: "Let paused sagas go on, and parked ones wait again",
		long: `Let a paused saga go on, and a parked one wait again for the reply that it waited
for; nothing is sent again.`,
		example: `  orchestrator saga resume 0193c0de-0000-7000-8000-000000000001
  orchestrator saga resume --paused --type room-reservation`,
	},
}

func newSagaAct(o *options, v verb) *cobra.Command {
	in := &intervention{done: v.done, ofStep: v.verb == saga.RetryNow || v.verb == saga.Skip}
	var output string
	cmd := &cobra.Command{
		Use: string(v.verb) + " [ID]", Short: v.short, Long: v.long + "\n\n" + interventionHelp, Example: v.example,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if v.reason && in.reason == "" {
				return cli.Usagef("%s: say why with --reason", cmd.CommandPath())
			}
			object, err := outputOf(output)
			if err != nil {
				return err
			}
			action := saga.Action{Verb: v.verb, Who: in.who, Reason: in.reason, Output: object}
			if in.ofStep {
				action.Step = in.chosen.step
			}
			in.event = action
			return in.run(o, cmd, args)
		},
	}
	in.register(cmd)
	if v.verb == saga.Skip {
		cmd.Flags().StringVar(&output, "output", "", "the step's output, a JSON object")
	}
	if in.ofStep {
		cmd.Flags().Lookup("step").Usage = "the step to " + string(v.verb) + "; of several sagas, only those in which it is under way or parked"
	}
	return cmd
}

func outputOf(text string) (jsonmap.JSONMap, error) {
	if text == "" {
		return nil, nil
	}
	object, err := jsonmap.Parse([]byte(text))
	if err != nil {
		return nil, cli.Usagef("--output is not a JSON object: %w", err)
	}
	return object, nil
}
