package orchestratorcmd

import (
	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
	"go.example/saga/pkg/saga"
)

func newSagaSignal(o *options) *cobra.Command {
	in := &intervention{done: "signalled"}
	var refuse bool
	var output string
	cmd := &cobra.Command{
		Use:   "signal STEP [ID]",
		Short: "Say what a signal step waits for: yes, or no",
		Long: `Say what a signal step waits for: yes with --output as its output, or no with
--refuse, which turns the saga back. One saga may be told before it reaches the step,
and keeps the answer for it; of several, only those are told that wait at the step.

` + interventionHelp,
		Example: `  orchestrator saga signal approval 0193c0de-0000-7000-8000-000000000001 --output '{"by": "grace"}'
  orchestrator saga signal approval --key room-reservation/R-4711 --refuse --reason "no credit"
  orchestrator saga signal approval --type room-reservation --younger-than 1h`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return cli.Usagef("%s needs the step and one saga's id, --key TYPE/KEY, or flags that choose sagas (see %s --help)",
					cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			object, err := outputOf(output)
			if err != nil {
				return err
			}
			in.event = saga.Signalled{Step: args[0], Refused: refuse, Output: object, Reason: in.reason, Who: in.who}
			if len(args) == 1 && in.chosen.step == "" {
				in.chosen.step = args[0]
			}
			in.words = args[:1]
			return in.run(o, cmd, args[1:])
		},
	}
	in.register(cmd)
	cmd.Flags().BoolVar(&refuse, "refuse", false, "say no: the saga goes back")
	cmd.Flags().StringVar(&output, "output", "", "the step's output, a JSON object")
	return cmd
}
