package demo

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/rabbit"
)

// The usual demo, on one database in each form, twice. It compares the outcomes itself.
func TestDemoOfASharedDatabase(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the demo takes seconds")
	}
	for _, form := range stack.Forms() {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			env := databases(t)
			env.stack.Form, env.stack.Hotel, env.stack.Payment = stack.Form(form), env.stack.Reservation, env.stack.Reservation
			for range 2 {
				var err error
				env.stack.AMQP = testenv.Vhost(t)
				env.giveBack, err = borrow(t.Context(), env.stack.AMQP)
				require.NoError(t, err)
				var told strings.Builder
				err = env.run(t.Context(), io.MultiWriter(&told, t.Output()))
				require.NoError(t, err)
				require.Contains(t, told.String(), "As promised")
				require.Regexp(t, map[string]string{
					"schema": `(?m)^hotel +all of this schema +inbox_.* outbox .*$`, "table": `(?m)^public +the hotel +booking room$`,
				}[form], told.String())
				there, err := rabbit.Existing(t.Context(), config(env.stack.AMQP), declared())
				require.NoError(t, err)
				require.Empty(t, there)
			}
		})
	}
}

func TestSharedDemosThatThereAreNot(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, Run(t.Context(), "", "server", io.Discard), `a database cannot be shared as "server": say one of schema, table`)
	require.ErrorContains(t, Run(t.Context(), "tcc", "schema", io.Discard), `the demo of the pattern "tcc" has a database for each service`)
}
