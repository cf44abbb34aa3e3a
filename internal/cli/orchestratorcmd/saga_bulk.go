package orchestratorcmd

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
	engine "go.example/saga/pkg/saga/orchestrator"
	"go.example/saga/pkg/saga/sagapg"
)

// shown is how many of the sagas a dry run shows.
const shown = 10

// dryRun is what would be done, for programs.
type dryRun struct {
	Matching int    `json:"matching"`
	Token    string `json:"token"`
	// Command does it. Ages in it have become times, which the token stands for.
	Command string            `json:"command"`
	First   []sagapg.Overview `json:"first"`
}

func (in *intervention) many(cmd *cobra.Command, e *engine.Engine) error {
	which, err := in.chosen.selection(cmd, e)
	if err != nil {
		return err
	}
	plan, err := e.Plan(cmd.Context(), which, in.event)
	if err != nil {
		return err
	}
	if in.token == "" {
		return in.show(cmd, e, plan)
	}
	return in.carry(cmd, e, plan)
}

func (in *intervention) show(cmd *cobra.Command, e *engine.Engine, plan engine.Plan) error {
	w := cmd.OutOrStdout()
	command := cli.Spoken(cmd, in.words, "token") + " --token=" + plan.Token
	first, err := e.Store.Overviews(cmd.Context(), e.DB, plan.IDs[:min(shown, len(plan.IDs))])
	switch {
	case err != nil:
		return err
	case in.asJSON:
		return cli.JSON(w, dryRun{len(plan.IDs), plan.Token, command, append([]sagapg.Overview{}, first...)})
	case len(plan.IDs) == 0:
		_, err := fmt.Fprintln(w, "No saga matches that has not ended.")
		return err
	}
	fmt.Fprintf(w, "%s would be %s.\n", cli.Plural(len(plan.IDs), "saga"), in.done)
	if err := printList(w, first); err != nil {
		return err
	}
	if more := len(plan.IDs) - len(first); more > 0 {
		fmt.Fprintf(w, "… and %d more\n", more)
	}
	_, err = fmt.Fprintf(w, "\nNothing has been changed. To do it:\n  %s\n", command)
	return err
}

func (in *intervention) carry(cmd *cobra.Command, e *engine.Engine, plan engine.Plan) error {
	var seldom cli.Throttle
	tally, err := e.Carry(cmd.Context(), plan, in.token, func(t engine.Tally) {
		if t.Told() < len(plan.IDs) && seldom.Ready() {
			fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d\n", t.Told(), len(plan.IDs))
		}
	})
	if told := tally.Told(); err == nil || told > 0 {
		err = errors.Join(in.report(cmd, tally), err)
	}
	if err != nil {
		return err
	}
	if n := tally.Told() - tally.Done; n > 0 {
		return cli.Refusedf("%d of %s refused", n, cli.Plural(tally.Told(), "saga"))
	}
	return nil
}

func (in *intervention) report(cmd *cobra.Command, tally engine.Tally) error {
	w := cmd.OutOrStdout()
	if in.asJSON {
		return cli.JSON(w, tally)
	}
	fmt.Fprintf(w, "%s %s.\n", cli.Plural(tally.Done, "saga"), in.done)
	if len(tally.Refused) == 0 {
		return nil
	}
	var rows [][]string
	for _, reason := range slices.Sorted(maps.Keys(tally.Refused)) {
		rows = append(rows, []string{strconv.Itoa(tally.Refused[reason]), cli.Short(reason)})
	}
	return cli.Table(w, []string{"REFUSED", "WHY"}, rows)
}
