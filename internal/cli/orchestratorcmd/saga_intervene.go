package orchestratorcmd

import (
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
	"go.example/saga/pkg/saga"
	engine "go.example/saga/pkg/saga/orchestrator"
	"go.example/saga/pkg/saga/sagapg"
)

const interventionHelp = `Name one saga, or choose several with flags; --all chooses all that have not ended.
Of several, without --token it only shows what it would do. Who it was and why is kept
in the saga's history, also where the saga refuses. Exit code 4 when one refuses.`

// intervention is what the commands have in common that tell sagas something.
type intervention struct {
	chosen      choice
	who, reason string
	token       string
	all, asJSON bool
	done        string     // "retried", for people
	event       saga.Event // what the sagas are told
	ofStep      bool       // that --step says which step it is about
	words       []string   // arguments before the saga's id
}

func (in *intervention) register(cmd *cobra.Command) {
	in.chosen.register(cmd, sagapg.MaxFound)
	flags := cmd.Flags()
	flags.StringVar(&in.who, "who", cli.Whoami(), "who does it")
	flags.Lookup("who").DefValue = "the user and the host"
	flags.StringVar(&in.reason, "reason", "", "why")
	flags.StringVar(&in.token, "token", "", "do it to the sagas that were shown with this token")
	flags.BoolVar(&in.all, "all", false, "all sagas that have not ended")
	flags.BoolVar(&in.asJSON, "json", false, "print JSON")
}

func (in *intervention) run(o *options, cmd *cobra.Command, args []string) error {
	single := len(args) == 1 || in.chosen.key != ""
	chose := slices.ContainsFunc(choosing, func(flag string) bool {
		of := flag == "step" && single && in.ofStep
		return cmd.Flags().Changed(flag) && !of
	})
	switch {
	case len(args) == 1 && in.chosen.key != "":
		return cli.Usagef("%s: name the saga by its id or by --key, not by both", cmd.CommandPath())
	case single && (chose || in.all || in.token != ""):
		return cli.Usagef("%s: one saga is named: leave --all, --token and the flags out that choose several", cmd.CommandPath())
	case !single && chose == in.all:
		return cli.Usagef("%s: say which sagas: an id, --key TYPE/KEY, flags that choose some, or --all", cmd.CommandPath())
	}
	return o.withEngine(cmd, func(e *engine.Engine) error {
		if single {
			return in.one(cmd, e, args)
		}
		return in.many(cmd, e)
	})
}

// told is what became of one saga, for programs.
type told struct {
	ID          string           `json:"id"`
	Disposition saga.Disposition `json:"disposition"`
	Detail      string           `json:"detail"`
	Status      saga.Status      `json:"status"`
	Version     int64            `json:"version"`
}

func (in *intervention) one(cmd *cobra.Command, e *engine.Engine, args []string) error {
	id, err := one(cmd.Context(), e, args, in.chosen.key)
	if err != nil {
		return err
	}
	t, err := e.Act(cmd.Context(), id, in.event)
	if err != nil {
		return err
	}
	answer := told{uuid.UUID(id).String(), t.Entry.Disposition, t.Entry.Detail, t.Next.Status, t.Next.Version}
	switch {
	case in.asJSON:
		err = cli.JSON(cmd.OutOrStdout(), answer)
	case engine.TookEffect(t.Entry):
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "saga %s is %s: %s\n", answer.ID, answer.Status, cli.Line(answer.Detail))
	}
	if err == nil && !engine.TookEffect(t.Entry) {
		return cli.Refusedf("saga %s (%s) %s it: %s", answer.ID, answer.Status, answer.Disposition, answer.Detail)
	}
	return err
}
