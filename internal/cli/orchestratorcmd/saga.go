package orchestratorcmd

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

var statuses = []saga.Status{
	saga.StatusStarted, saga.StatusCompleted, saga.StatusAborting, saga.StatusAborted, saga.StatusParked,
}

const maxLimit = 10_000

func newSagaList(o *options) *cobra.Command {
	var filter sagapg.Filter
	var status string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List sagas, the newest first",
		Long: `List sagas, the newest first.

Steps: · not sent, … under way, ✓ succeeded, ✗ refused, ↶… being compensated,
↶ compensated, skipped by an operator.`,
		Example: `  orchestrator saga list
  orchestrator saga list --status PARKED --type room-reservation --limit 20
  orchestrator saga list --json | jq '.[].id'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter.Status = saga.Status(strings.ToUpper(status))
			if filter.Status != "" && !slices.Contains(statuses, filter.Status) {
				return cli.Usagef("--status %q is none of %v", status, statuses)
			}
			if filter.Limit < 1 || filter.Limit > maxLimit {
				return cli.Usagef("--limit is %d, want 1 to %d", filter.Limit, maxLimit)
			}
			return o.withStore(cmd.Context(), func(store *sagapg.Store, db *pgxpool.Pool) error {
				list, err := store.List(cmd.Context(), db, filter)
				if err != nil {
					return err
				}
				return printList(cmd.OutOrStdout(), list, asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&status, "status", "", "only sagas of this status: STARTED, COMPLETED, ABORTING, ABORTED, PARKED")
	cmd.Flags().StringVar(&filter.Type, "type", "", "only sagas of this definition")
	cmd.Flags().IntVar(&filter.Limit, "limit", 50, "at most so many")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printList(w io.Writer, list []sagapg.Overview, asJSON bool) error {
	if asJSON {
		// None is [], not null.
		return cli.JSON(w, append([]sagapg.Overview{}, list...))
	}
	rows := make([][]string, len(list))
	for i, o := range list {
		rows[i] = []string{
			o.ID, o.Type, text(o.BusinessKey), string(o.Status), o.Steps, text(o.WaitsFor), age(o.AgeSeconds), text(o.Reason),
		}
	}
	return cli.Table(w, []string{"ID", "TYPE", "KEY", "STATUS", "STEPS", "WAITS FOR", "AGE", "REASON"}, rows)
}

func newSagaShow(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one saga and its history",
		Long: `Show one saga and its history. An arrow leads to the command that was sent, or to
the saga's new status; brackets hold what was recorded without effect.`,
		Example: `  orchestrator saga show 0193c0de-0000-7000-8000-000000000001
  orchestrator saga show 0193c0de-0000-7000-8000-000000000001 --json | jq .payload`,
		Args: exactly(1, "the saga's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := uuid.Parse(args[0])
			if err != nil {
				return cli.Usagef("%q is not the id of a saga: it has to be a UUID", args[0])
			}
			return o.withStore(cmd.Context(), func(store *sagapg.Store, db *pgxpool.Pool) error {
				story, err := store.Show(cmd.Context(), db, saga.ID(id))
				if errors.Is(err, sagapg.ErrNoSaga) {
					return cli.NotFoundf("%w", err)
				}
				if err != nil {
					return err
				}
				if asJSON {
					return cli.JSON(cmd.OutOrStdout(), story)
				}
				return printStory(cmd.OutOrStdout(), story)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printStory(w io.Writer, s sagapg.Story) error {
	rows := [][]string{
		{"type", fmt.Sprintf("%s version %d", s.Type, s.DefinitionVersion)},
		{"key", text(s.BusinessKey)},
		{"status", fmt.Sprintf("%s, %s after the start", s.Status, age(s.AgeSeconds))},
		{"steps", s.Steps},
	}
	if s.WaitsFor != nil {
		rows = append(rows, []string{"waits for", *s.WaitsFor})
	}
	if s.NextWake != nil {
		rows = append(rows, []string{"next wake", s.NextWake.UTC().Format(time.RFC3339)})
	}
	if s.Reason != nil {
		rows = append(rows, []string{"reason", *s.Reason})
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
		moments[i] = []string{fmt.Sprint(m.Seq), m.At.UTC().Format("2006-01-02 15:04:05.000Z"), fmt.Sprintf("+%.1f ms", m.ElapsedMS), m.Sentence}
	}
	return cli.Table(w, []string{"#", "AT", "ELAPSED", "WHAT"}, moments)
}

func text(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

func age(seconds int64) string { return (time.Duration(seconds) * time.Second).String() }

// exactly is cobra.ExactArgs with an error that says what is missing.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return cli.Usagef("%s needs %s (see %s --help)", cmd.CommandPath(), what, cmd.CommandPath())
		}
		return nil
	}
}
