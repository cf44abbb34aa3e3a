package orchestratorcmd

import (
	"errors"
	"fmt"
	"os"
	"reflect"

	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
	"go.example/saga/pkg/saga/sagayaml"
)

func newDefinitionLint() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Check definitions without storing them",
		Long: `Check definitions without storing them; no database is needed. Every problem is a
line file:line:column: path: reason: remedy, which editors can follow. Two files
that give one name and version to different plans are a problem too. The exit code
is 1 when there is any.`,
		Example: `  orchestrator definition lint deploy/room-reservation.yaml
  orchestrator definition lint definitions/*.yaml --json`,
		Args: atLeastOneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			problems, err := lint(args)
			if err != nil {
				return err
			}
			if asJSON {
				err = cli.JSON(cmd.OutOrStdout(), problems)
			} else {
				for _, p := range problems {
					fmt.Fprintln(cmd.OutOrStdout(), p)
				}
			}
			if err != nil || len(problems) == 0 {
				return err
			}
			return fmt.Errorf("%d problems in the definitions", len(problems))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func atLeastOneFile(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cli.Usagef("%s needs a YAML file, or several (see %s --help)", cmd.CommandPath(), cmd.CommandPath())
	}
	return nil
}

// lintProblem is a fault of one of the files.
type lintProblem struct {
	File string `json:"file"`
	sagayaml.Fault
}

func (p lintProblem) String() string { return p.File + ":" + p.Fault.String() }

// lint checks the files one by one, then against one another.
func lint(files []string) ([]lintProblem, error) {
	problems := []lintProblem{}
	first := map[string]lintedFile{} // by name and version
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, cli.Usagef("read the definition: %w", err)
		}
		doc, err := sagayaml.Read(content)
		var invalid *sagayaml.Error
		if errors.As(err, &invalid) {
			for _, fault := range invalid.Faults {
				problems = append(problems, lintProblem{file, fault})
			}
			continue
		}
		key := fmt.Sprintf("%s@%d", doc.Definition.Name, doc.Definition.Version)
		other, known := first[key]
		switch {
		case !known:
			first[key] = lintedFile{file, doc}
		case !reflect.DeepEqual(other.doc.Definition, doc.Definition):
			problems = append(problems, lintProblem{file, doc.Fault("version",
				fmt.Sprintf("%s is another plan in %s", key, other.name), "raise the version")})
		}
	}
	return problems, nil
}

type lintedFile struct {
	name string
	doc  sagayaml.Document
}
