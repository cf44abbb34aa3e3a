package orchestratorcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	"go.example/saga/pkg/saga/sagayaml"
)

func newDefinitionApply(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "apply FILE",
		Short: "Check a definition and store it",
		Long: `Check a definition and store it. The same file again changes nothing. A stored
version never changes: a changed plan needs the next version number; sagas that
run keep the one they started with.`,
		Example: "  orchestrator definition apply deploy/room-reservation.yaml",
		Args:    exactly(1, "a YAML file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			content, err := os.ReadFile(args[0])
			if err != nil {
				return cli.Usagef("read the definition: %w", err)
			}
			def, err := sagayaml.Parse(content)
			if err != nil {
				return cli.Usagef("%s: %w", args[0], err)
			}
			return o.withStore(cmd.Context(), func(store *sagapg.Store, db *pgxpool.Pool) error {
				stored, err := store.ApplyDefinition(cmd.Context(), db, def)
				if errors.Is(err, sagapg.ErrDefinitionDiffers) {
					return cli.Refusedf("%w", err)
				}
				if err != nil {
					return err
				}
				word := "was stored before, nothing changed"
				if stored {
					word = "stored"
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s@%d %s\n", def.Name, def.Version, word)
				return err
			})
		},
	}
}

func newDefinitionList(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the stored definitions",
		Example: "  orchestrator definition list\n  orchestrator definition list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.withStore(cmd.Context(), func(store *sagapg.Store, db *pgxpool.Pool) error {
				list, err := store.ListDefinitions(cmd.Context(), db)
				if err != nil {
					return err
				}
				if asJSON {
					return cli.JSON(cmd.OutOrStdout(), append([]sagapg.DefinitionInfo{}, list...))
				}
				rows := make([][]string, len(list))
				for i, d := range list {
					rows[i] = []string{
						d.Name, strconv.Itoa(d.Version), strconv.Itoa(d.Steps), strconv.FormatInt(d.Running, 10),
						d.Hash[:12], d.CreatedAt.UTC().Format(time.RFC3339),
					}
				}
				return cli.Table(cmd.OutOrStdout(), []string{"NAME", "VERSION", "STEPS", "RUNNING", "HASH", "STORED"}, rows)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newDefinitionShow(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME[@VERSION]",
		Short: "Print a definition as YAML, with every default spelled out",
		Example: `  orchestrator definition show room-reservation
  orchestrator definition show room-reservation@1 > room-reservation.yaml`,
		Args: exactly(1, "the definition's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			def, err := o.definition(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			content, err := sagayaml.Marshal(def)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(content)
			return err
		},
	}
}

func newDefinitionGraph(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "graph NAME[@VERSION]",
		Short: "Print a definition as a Mermaid flowchart",
		Long: `Print a definition as a Mermaid flowchart: requests along solid arrows,
compensations along dotted ones. GitHub and many editors show it as a picture.`,
		Example: "  orchestrator definition graph room-reservation@1",
		Args:    exactly(1, "the definition's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			def, err := o.definition(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), graph(def))
			return err
		},
	}
}

// definition reads NAME, the latest version, or NAME@VERSION.
func (o *options) definition(ctx context.Context, arg string) (def saga.Definition, err error) {
	name, number, given := strings.Cut(arg, "@")
	version, parseErr := strconv.ParseInt(number, 10, 32)
	if given && (parseErr != nil || version < 1) {
		return def, cli.Usagef("%q is not NAME or NAME@VERSION with a version from 1", arg)
	}
	err = o.withStore(ctx, func(store *sagapg.Store, db *pgxpool.Pool) error {
		if given {
			def, err = store.Definition(ctx, db, name, int(version))
		} else {
			def, err = store.LatestDefinition(ctx, db, name)
		}
		if errors.Is(err, sagapg.ErrNoDefinition) {
			return cli.NotFoundf("%w", err)
		}
		return err
	})
	return def, err
}
