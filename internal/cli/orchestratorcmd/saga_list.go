package orchestratorcmd

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
	engine "go.example/saga/pkg/saga/orchestrator"
	"go.example/saga/pkg/saga/sagapg"
)

func newSagaList(o *options) *cobra.Command {
	var chosen choice
	var after string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List sagas, the newest first",
		Long: `List sagas, the newest first.

Steps: · not begun, … under way, ✓ succeeded, ✗ refused, ⟳ being confirmed,
✓✓ confirmed, ↶… being compensated, ↶ compensated, – not needed, skipped by an
operator. Brackets hold steps that run side by side.`,
		Example: `  orchestrator saga list --stuck
  orchestrator saga list --status PARKED,ABORTING --type room-reservation --limit 20
  orchestrator saga list --step payment --older-than 1h
  orchestrator saga list --json | jq '.[].id'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.withEngine(cmd, func(e *engine.Engine) error {
				which, err := chosen.selection(cmd, e)
				if err == nil && after != "" {
					which.Below, err = sagaID(after)
				}
				if err != nil {
					return err
				}
				return list(cmd, e, which, asJSON)
			})
		},
	}
	chosen.register(cmd, 50)
	cmd.Flags().StringVar(&after, "after", "", "go on after this id, the last one of the page before")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func list(cmd *cobra.Command, e *engine.Engine, which sagapg.Selection, asJSON bool) error {
	ids, err := e.Store.Find(cmd.Context(), e.DB, which)
	if err != nil {
		return err
	}
	found, err := e.Store.Overviews(cmd.Context(), e.DB, ids)
	if err != nil {
		return err
	}
	if asJSON {
		// None is [], not null.
		return cli.JSON(cmd.OutOrStdout(), append([]sagapg.Overview{}, found...))
	}
	if err := printList(cmd.OutOrStdout(), found); err != nil {
		return err
	}
	if n := len(found); n > 0 && n == which.Limit {
		fmt.Fprintf(cmd.ErrOrStderr(), "There may be more: go on with --after %s\n", found[n-1].ID)
	}
	return nil
}

func printList(w io.Writer, list []sagapg.Overview) error {
	rows := make([][]string, len(list))
	for i, o := range list {
		rows[i] = []string{
			o.ID, o.Type, text(o.BusinessKey), string(o.Status), o.Steps, text(o.WaitsFor), age(o.AgeSeconds), text(o.Reason),
		}
	}
	return cli.Table(w, []string{"ID", "TYPE", "KEY", "STATUS", "STEPS", "WAITS FOR", "AGE", "REASON"}, rows)
}
