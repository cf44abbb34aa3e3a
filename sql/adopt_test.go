package sagasql_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	sagasql "go.example/saga/sql"
)

func TestAdoptFillsIn(t *testing.T) {
	t.Parallel()
	text := sagasql.Adopt("order", "xact_index.sql", map[string]string{"table": `"public"."a:id"`, "id": `"x"`})
	require.Contains(t, text, `CREATE INDEX ON "public"."a:id" (outbox_xact) INCLUDE ("x");`, "what was filled in stays as it is")
	require.PanicsWithValue(t, "sagasql: adopt xact_index.sql: no value for id", func() {
		sagasql.Adopt("", "xact_index.sql", map[string]string{"table": "t"})
	})
	require.Panics(t, func() { sagasql.Adopt("", "missing.sql", nil) })
	require.Panics(t, func() { sagasql.Adopt("Wrong", "schema.sql", map[string]string{"schema": "x"}) })
	require.Error(t, sagasql.CheckSchema("Wrong"))
	require.NoError(t, sagasql.CheckSchema(""))
}
