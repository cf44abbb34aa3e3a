package orchestratorcmd

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
	"go.example/saga/pkg/jsonmap"
	engine "go.example/saga/pkg/saga/orchestrator"
	"go.example/saga/pkg/saga/sagapg"
)

func newSagaStart(o *options) *cobra.Command {
	var r sagapg.StartRequest
	var payload string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "start NAME --key KEY",
		Short: "Start a saga of the latest version of a definition",
		Long: `Start a saga of the latest version of a definition. There is one saga of a name and a
key, however often it is asked for: a second start finds the first saga.

Services start theirs in the transaction that writes their own rows: in Go with
sagapg.Store.Start, in any language with the SQL function saga_start.`,
		Example: `  orchestrator saga start room-reservation --key R-4711 --payload '{"roomId": 1, "paymentDue": 12500}'
  orchestrator saga start room-reservation --key R-4712 --payload @reservation.json --json`,
		Args: exactly(1, "the definition's name"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if r.BusinessKey == "" {
				return cli.Usagef("%s: name the saga with --key: asked for twice, it is started once", cmd.CommandPath())
			}
			if r.Payload, err = payloadOf(payload); err != nil {
				return err
			}
			return o.withEngine(cmd, func(e *engine.Engine) error { return start(cmd, e, args[0], r, asJSON) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&r.BusinessKey, "key", "", "the saga's business key, unique among those of the definition")
	flags.StringVar(&payload, "payload", "{}", "what the saga is started with: a JSON object, or @FILE that has one")
	flags.StringSliceVar(&r.Webhooks, "webhook", nil, "webhooks that are told when the saga ends, besides those of the definition")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func payloadOf(text string) (jsonmap.JSONMap, error) {
	if file, named := strings.CutPrefix(text, "@"); named {
		content, err := os.ReadFile(file) // #nosec G304 -- the caller names it
		if err != nil {
			return nil, cli.Usagef("--payload: %w", err)
		}
		text = string(content)
	}
	object, err := jsonmap.Parse([]byte(text))
	if err != nil {
		return nil, cli.Usagef("--payload is not a JSON object: %w", err)
	}
	return object, nil
}

// begun is what became of a start, for programs.
type begun struct {
	ID      string `json:"id"`
	Started bool   `json:"started"`
}

func start(cmd *cobra.Command, e *engine.Engine, name string, r sagapg.StartRequest, asJSON bool) error {
	id, started, err := e.Start(cmd.Context(), name, r)
	switch {
	case errors.Is(err, sagapg.ErrNoDefinition):
		return cli.NotFoundf("%w", err)
	case err != nil:
		return err
	case asJSON:
		return cli.JSON(cmd.OutOrStdout(), begun{uuid.UUID(id).String(), started})
	case started:
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "saga %s is started\n", uuid.UUID(id))
	default:
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "saga %s was started before under this key; nothing was done\n", uuid.UUID(id))
	}
	return err
}
