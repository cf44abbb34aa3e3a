package reservationcmd

import (
	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
)

func newGet() *cobra.Command {
	var c client
	var o output
	cmd := &cobra.Command{
		Use:     "get ID",
		Short:   "Show what became of a reservation",
		Example: "  reservation get 0193c0de-0000-7000-8000-000000000001 --wait",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("give one reservation id")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := c.get(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return o.show(cmd, c, found)
		},
	}
	serverFlag(cmd, &c)
	o.flags(cmd)
	return cmd
}

func serverFlag(cmd *cobra.Command, c *client) {
	cmd.Flags().StringVar(&c.server, "server", "http://127.0.0.1:8080", "URL of the reservation service")
}
