package cli_test

import (
	"bytes"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/hotelcmd"
	"go.example/saga/internal/cli/orchestratorcmd"
	"go.example/saga/internal/cli/paymentcmd"
	"go.example/saga/internal/cli/relaycmd"
	"go.example/saga/internal/cli/reservationcmd"
)

// No command of any program takes what no text of the database can be, as the value of a
// flag or as an argument: it says so before it looks for a server.
func TestArgumentsAreText(t *testing.T) {
	t.Parallel()
	refused := func(program func() *cobra.Command, args ...string) {
		t.Helper()
		var errs bytes.Buffer
		root := program()
		root.SetArgs(args)
		root.SetOut(&errs)
		root.SetErr(&errs)
		require.Equal(t, cli.ExitUsage, cli.Run(t.Context(), root), "%s %q: %s", root.Name(), args, errs.String())
	}
	for _, program := range []func() *cobra.Command{
		relaycmd.New, orchestratorcmd.New, reservationcmd.New, hotelcmd.New, paymentcmd.New,
	} {
		var visit func(cmd *cobra.Command, path []string)
		visit = func(cmd *cobra.Command, path []string) {
			for _, sub := range cmd.Commands() {
				visit(sub, append(path[:len(path):len(path)], sub.Name()))
			}
			if !cmd.Runnable() {
				return
			}
			for _, bad := range []string{"\xff", "a\x00b", "\xed\xa0\x80"} {
				refused(program, append(path[:len(path):len(path)], bad)...)
				cmd.Flags().VisitAll(func(f *pflag.Flag) {
					refused(program, append(path[:len(path):len(path)], "--"+f.Name+"="+bad)...)
				})
			}
		}
		visit(program(), nil)
	}
}
