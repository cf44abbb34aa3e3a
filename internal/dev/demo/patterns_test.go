package demo

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/rabbit"
)

// Every demo ends as it promises, whichever were run before in the same databases, and leaves
// a virtual host that was lent as it was. The demos compare the outcomes themselves.
func TestPatterns(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the demos take seconds each")
	}
	env := databases(t)
	for name, show := range patterns { // in an order that is another one each time
		t.Run(name, func(t *testing.T) {
			var err error
			env.stack.AMQP = testenv.Vhost(t)
			env.giveBack, err = borrow(t.Context(), env.stack.AMQP)
			require.NoError(t, err)
			require.NoError(t, show(t.Context(), env, t.Output()))
			there, err := rabbit.Existing(t.Context(), config(env.stack.AMQP), declared())
			require.NoError(t, err)
			require.Empty(t, there)
		})
	}
}

// A demo that does not end as promised is an error that says what came instead.
func TestAPatternThatEndsOtherwiseIsAnError(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the demos take seconds each")
	}
	wrong := approvals()
	wrong.acts = wrong.acts[1:2]
	wrong.acts[0].want.paid = 1
	err := wrong.show(t.Context(), environmentAt(t, testenv.Vhost(t)), io.Discard)
	require.ErrorContains(t, err, "bob: ABORTED {room:RELEASED paid:0 extra:}, expected ABORTED {room:RELEASED paid:1 extra:}")
}

func TestUnknownPattern(t *testing.T) {
	t.Parallel()
	err := Run(t.Context(), "sagas", "", io.Discard)
	require.ErrorContains(t, err, `there is no demo of the pattern "sagas": say one of 2pc, api-composition, approvals, choreography, `)
}

// Each pattern has its page, which says how to run it.
func TestEachPatternHasItsPage(t *testing.T) {
	t.Parallel()
	root, err := services.Root()
	require.NoError(t, err)
	list, err := os.ReadFile(filepath.Join(root, "docs", "patterns", "README.md"))
	require.NoError(t, err)
	for _, name := range Patterns() {
		page, err := os.ReadFile(filepath.Join(root, "docs", "patterns", name+".md"))
		require.NoError(t, err)
		require.Contains(t, string(list), "("+name+".md)")
		if name != usual {
			require.Contains(t, string(page), "make demo PATTERN="+name)
		}
	}
}
