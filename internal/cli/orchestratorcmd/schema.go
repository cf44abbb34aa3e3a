package orchestratorcmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"go.example/saga/docs/schema"
	"go.example/saga/internal/cli"
)

func newSchema() *cobra.Command {
	names := strings.Join(schema.Names(), ", ")
	return &cobra.Command{
		Use:   "schema NAME",
		Short: "Print a JSON Schema: of definitions, for editors, or of messages",
		Long: `Print a JSON Schema (draft 2020-12); no database is needed. NAME is one of
` + names + `.
definition is for files of sagas: an editor completes and checks them whose first line is
  # yaml-language-server: $schema=definition.schema.json
What a schema cannot know, "definition lint" checks. The others are the messages of
docs/protocol.md: properties, headers and body as one JSON object.`,
		Example: `  orchestrator schema definition > definition.schema.json
  orchestrator schema reply > reply.schema.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("%s needs the name of one schema: %s", cmd.CommandPath(), names)
			}
			return nil
		},
		ValidArgs: schema.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := schema.Text(args[0])
			if err != nil {
				return cli.Usagef("there is no schema %q: say one of %s", args[0], names)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s", text)
			return err
		},
	}
}
