// Package exampletest holds the test that every example passes.
package exampletest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	sagasql "go.example/saga/sql"
)

// Run runs the example's program against a database of its own. An order and its event
// have to be there after the commit, and neither where the commit fails.
func Run(t *testing.T, run func(ctx context.Context, url, customer string) error) {
	t.Helper()
	pool := testenv.Database(t, sagasql.Outbox)
	url := pool.Config().ConnString()
	state := func() (orders, events, pairs int) {
		require.NoError(t, pool.QueryRow(t.Context(), `
			SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM outbox),
			       (SELECT count(*) FROM orders AS o JOIN outbox AS e ON e.aggregate_id = o.id::text
			                                         AND e.type = 'placed' AND e.payload ->> 'customer' = o.customer)`).
			Scan(&orders, &events, &pairs))
		return orders, events, pairs
	}
	require.NoError(t, run(t.Context(), url, "ada"))
	orders, events, pairs := state()
	require.Equal(t, []int{1, 1, 1}, []int{orders, events, pairs})

	// Everything succeeds until the commit.
	_, err := pool.Exec(t.Context(), `ALTER TABLE orders ADD CONSTRAINT one_order_each UNIQUE (customer, amount) DEFERRABLE INITIALLY DEFERRED`)
	require.NoError(t, err)
	require.ErrorContains(t, run(t.Context(), url, "ada"), "one_order_each")
	orders, events, pairs = state()
	require.Equal(t, []int{1, 1, 1}, []int{orders, events, pairs})
}
