package cli_test

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli/hotelcmd"
	"go.example/saga/internal/cli/orchestratorcmd"
	"go.example/saga/internal/cli/paymentcmd"
	"go.example/saga/internal/cli/relaycmd"
	"go.example/saga/internal/cli/reservationcmd"
)

// Every command of every program explains itself, with an example.
func TestHelp(t *testing.T) {
	t.Parallel()
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		require.NotEmpty(t, cmd.Short, cmd.CommandPath())
		require.Contains(t, cmd.Example, cmd.Root().Name(), cmd.CommandPath())
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	for _, root := range []*cobra.Command{
		relaycmd.New(), orchestratorcmd.New(), reservationcmd.New(), hotelcmd.New(), paymentcmd.New(),
	} {
		visit(root)
	}
}
