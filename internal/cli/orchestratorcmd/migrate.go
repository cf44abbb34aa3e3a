package orchestratorcmd

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
	engine "go.example/saga/pkg/saga/orchestrator"
	"go.example/saga/pkg/saga/sagapg"
)

func newDefinitionMigrate(o *options) *cobra.Command {
	var m engine.Migration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "migrate NAME --to VERSION",
		Short: "Move running sagas to another version of their definition",
		Long: `Move the sagas of a definition that have not ended to another version of it, which
` + "`definition apply`" + ` has stored before. It changes the plan for what has not begun, and
nothing else: a saga of which the new version tells another past keeps its version,
and why is told. --dry-run only tells. Running sagas are migrated by nothing else.

It works in transactions of 100 sagas and may be repeated, also when it was
interrupted. Exit code 4 when some sagas do not fit, in a dry run too.`,
		Example: `  orchestrator definition apply deploy/room-reservation.yaml
  orchestrator definition migrate room-reservation --to 2 --dry-run
  orchestrator definition migrate room-reservation --to 2 --from 1 --who ada`,
		Args: exactly(1, "the definition's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Name = args[0]
			switch {
			case m.To < 1 || m.To > maxVersion:
				return cli.Usagef("%s: say the version to move to, from 1 on, with --to", cmd.CommandPath())
			case cmd.Flags().Changed("from") && (m.From < 1 || m.From > maxVersion):
				return cli.Usagef("%s: --from %d is no version: they count from 1", cmd.CommandPath(), m.From)
			case m.From == m.To:
				return cli.Usagef("%s: --from and --to are the same version", cmd.CommandPath())
			}
			return o.withEngine(cmd, func(e *engine.Engine) error { return migrate(cmd, e, m, asJSON) })
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&m.To, "to", 0, "the version to move to")
	flags.IntVar(&m.From, "from", 0, "only sagas that follow this version (default all others)")
	flags.BoolVar(&m.DryRun, "dry-run", false, "only tell what would happen")
	flags.StringVar(&m.Who, "who", cli.Whoami(), "who does it")
	flags.Lookup("who").DefValue = "the user and the host"
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// maxVersion is what the column holds.
const maxVersion = 1<<31 - 1

// migration is what became of the sagas, for programs.
type migration struct {
	Definition string `json:"definition"`
	To         int    `json:"to"`
	DryRun     bool   `json:"dryRun"`
	engine.Migrated
}

func migrate(cmd *cobra.Command, e *engine.Engine, m engine.Migration, asJSON bool) error {
	var seldom cli.Throttle
	result, err := e.Migrate(cmd.Context(), m, func(r engine.Migrated) {
		if seldom.Ready() {
			fmt.Fprintf(cmd.ErrOrStderr(), "%d fit, %d do not\n", r.Moved, r.Stayed())
		}
	})
	if errors.Is(err, sagapg.ErrNoDefinition) {
		return cli.NotFoundf("%w", err)
	}
	stayed := result.Stayed()
	if err == nil || result.Moved+stayed > 0 {
		report := printMigration
		if asJSON {
			report = func(w io.Writer, m migration) error { return cli.JSON(w, m) }
		}
		err = errors.Join(report(cmd.OutOrStdout(), migration{m.Name, m.To, m.DryRun, result}), err)
	}
	if err == nil && stayed > 0 {
		return cli.Refusedf("%d of %s do not fit version %d", stayed, cli.Plural(result.Moved+stayed, "saga"), m.To)
	}
	return err
}

func printMigration(w io.Writer, m migration) error {
	said := "moved"
	if m.DryRun {
		said = "would be moved"
	}
	fmt.Fprintf(w, "%s of %s %s to version %d.\n", cli.Plural(m.Moved, "saga"), m.Definition, said, m.To)
	if len(m.Kept) == 0 {
		return nil
	}
	var rows [][]string
	for _, k := range m.Kept {
		for i, id := range k.First {
			row := []string{"", id, ""}
			if i == 0 {
				row = []string{strconv.Itoa(k.Count), id, cli.Line(k.Reason)}
			}
			rows = append(rows, row)
		}
		if more := k.Count - len(k.First); more > 0 {
			rows = append(rows, []string{"", fmt.Sprintf("… and %d more", more), ""})
		}
	}
	return cli.Table(w, []string{"KEPT", "FIRST", "WHY"}, rows)
}
