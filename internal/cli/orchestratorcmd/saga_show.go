package orchestratorcmd

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"go.example/saga/internal/app/redact"
	"go.example/saga/internal/cli"
	engine "go.example/saga/pkg/saga/orchestrator"
	"go.example/saga/pkg/saga/sagapg"
)

func newSagaShow(o *options) *cobra.Command {
	var key string
	var reveal, asJSON bool
	cmd := &cobra.Command{
		Use:   "show [ID]",
		Short: "Show one saga and its history",
		Long: `Show one saga and its history. An arrow leads to the command that was sent, or to
the saga's new status; brackets hold what was recorded without effect.

In payload and outputs, [redacted] stands for values whose names look like secrets
or card data (token, password, card, iban, pan and the like). --reveal shows them:
mind where the output goes.`,
		Example: `  orchestrator saga show 0193c0de-0000-7000-8000-000000000001
  orchestrator saga show --key room-reservation/R-4711
  orchestrator saga show 0193c0de-0000-7000-8000-000000000001 --json | jq .payload`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 || (len(args) == 1) == (key != "") {
				return cli.Usagef("%s needs the saga's id, or --key TYPE/KEY (see %s --help)", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withEngine(cmd, func(e *engine.Engine) error {
				story, err := readStory(cmd, e, args, key)
				if err != nil {
					return err
				}
				if !reveal {
					if err := hide(&story); err != nil {
						return err
					}
				}
				if asJSON {
					return cli.JSON(cmd.OutOrStdout(), story)
				}
				return printStory(cmd.OutOrStdout(), story)
			})
		},
	}
	keyFlag(cmd, &key)
	cmd.Flags().BoolVar(&reveal, "reveal", false, "show secrets and card data, too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func readStory(cmd *cobra.Command, e *engine.Engine, args []string, key string) (sagapg.Story, error) {
	id, err := one(cmd.Context(), e, args, key)
	if err != nil {
		return sagapg.Story{}, err
	}
	return e.Store.Show(cmd.Context(), e.DB, id)
}

// hide redacts what the saga carries.
func hide(s *sagapg.Story) (err error) {
	if s.Payload, err = redact.JSON(s.Payload); err != nil {
		return fmt.Errorf("payload of saga %s: %w", s.ID, err)
	}
	if s.Outputs, err = redact.JSON(s.Outputs); err != nil {
		return fmt.Errorf("outputs of saga %s: %w", s.ID, err)
	}
	return nil
}

func printStory(w io.Writer, s sagapg.Story) error {
	rows := [][]string{
		{"type", fmt.Sprintf("%s version %d", s.Type, s.DefinitionVersion)},
		{"key", text(s.BusinessKey)},
		{"status", fmt.Sprintf("%s, %s after the start", s.Status, age(s.AgeSeconds))},
		{"steps", s.Steps},
	}
	if s.WaitsFor != nil {
		rows = append(rows, []string{"waits for", cli.Line(*s.WaitsFor)})
	}
	if s.NextWake != nil {
		rows = append(rows, []string{"next wake", s.NextWake.UTC().Format(time.RFC3339)})
	}
	if s.Reason != nil {
		rows = append(rows, []string{"reason", cli.Line(*s.Reason)})
	}
	rows = append(rows, []string{"payload", string(s.Payload)}, []string{"outputs", string(s.Outputs)})
	if err := cli.Table(w, []string{"saga", s.ID}, rows); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	moments := make([][]string, len(s.Timeline))
	for i, m := range s.Timeline {
		moments[i] = []string{
			fmt.Sprint(m.Seq), m.At.UTC().Format("2006-01-02 15:04:05.000Z"), fmt.Sprintf("+%.1f ms", m.ElapsedMS), cli.Line(m.Sentence),
		}
	}
	return cli.Table(w, []string{"#", "AT", "ELAPSED", "WHAT"}, moments)
}
