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
		Long: `Check definitions of both styles without storing them; no database is needed. Every problem is a
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
		doc, err := readDefinition(content)
		var invalid *sagayaml.Error
		if errors.As(err, &invalid) {
			for _, fault := range invalid.Faults {
				problems = append(problems, lintProblem{file, fault})
			}
			continue
		}
		other, known := first[doc.key]
		switch {
		case !known:
			doc.file = file
			first[doc.key] = doc
		case !reflect.DeepEqual(other.plan, doc.plan):
			problems = append(problems, lintProblem{file, doc.fault("version",
				fmt.Sprintf("%s is another plan in %s", doc.key, other.file), "raise the version")})
		}
	}
	return problems, nil
}

// lintedFile is a definition of either style.
type lintedFile struct {
	file, key string // key is name@version
	plan      any
	fault     func(path, reason, remedy string) sagayaml.Fault
}

func readDefinition(content []byte) (lintedFile, error) {
	if sagayaml.IsChoreography(content) {
		doc, err := sagayaml.ReadChoreography(content)
		def := doc.Choreography
		return lintedFile{key: fmt.Sprintf("%s@%d", def.Name, def.Version), plan: def, fault: doc.Fault}, err
	}
	doc, err := sagayaml.Read(content)
	def := doc.Definition
	return lintedFile{key: fmt.Sprintf("%s@%d", def.Name, def.Version), plan: def, fault: doc.Fault}, err
}
