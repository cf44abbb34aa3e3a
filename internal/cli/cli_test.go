package cli_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/address"
	"go.example/saga/internal/cli"
	"go.example/saga/pkg/rabbit"
	sagasql "go.example/saga/sql"
)

// The library's verdict on an address is one of settings, and no error shows a password.
func TestRunOfRefusedAddresses(t *testing.T) {
	t.Parallel()
	_, err := address.Brokers("amqp://me:toldByTheBroker@h/")
	require.NoError(t, err)
	for _, c := range []struct {
		err  error
		code int
		want string
	}{
		{sagasql.Up(t.Context(), "postgres://me:a@b@h/x", "", sagasql.Outbox), cli.ExitUsage, "x: migrate: database URL: the address is refused"},
		{rabbit.CheckURL("amqp://me:a@b@h/x"), cli.ExitUsage, "x: the broker's URL is not usable"},
		{errors.New("no: toldByTheBroker"), cli.ExitFailed, "x: no: ***\n"},
	} {
		var errs bytes.Buffer
		root := &cobra.Command{Use: "x", RunE: func(*cobra.Command, []string) error { return c.err }}
		root.SetErr(&errs)
		root.SetArgs(nil)
		require.Equal(t, c.code, cli.Run(t.Context(), root))
		require.Contains(t, errs.String(), c.want)
	}
}
