package address_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/address"
)

// An entry's schema is taken out of its URL, and the rest is as it was written.
func TestSchemaOfAnEntry(t *testing.T) {
	cleanEnvironment(t)
	for _, c := range [][3]string{
		{"postgres://h/x", "postgres://h/x", ""},
		{"postgres://h/x?schema=hotel", "postgres://h/x", "hotel"},
		{"postgres://u:p%3F@127.0.0.1,127.0.0.1:1/x?schema=hotel", "postgres://u:p%3F@127.0.0.1,127.0.0.1:1/x", "hotel"},
		{"postgres://h/x?schema=hotel&sslmode=disable", "postgres://h/x?sslmode=disable", "hotel"},
		{"postgres://h/x?sslmode=disable&schema=ho%74el", "postgres://h/x?sslmode=disable", "hotel"},
		{"postgres://h/x?a_b=1&schema=hotel&statement_timeout=5s", "postgres://h/x?a_b=1&statement_timeout=5s", "hotel"},
		{"host=h dbname=x", "host=h dbname=x", ""},
		{"postgres://h/x?my.schema=hotel", "postgres://h/x?my.schema=hotel", ""},
	} {
		text, want := c[0], [2]string{c[1], c[2]}
		entries, err := address.Databases(text)
		require.NoError(t, err, text)
		require.Equal(t, want, [2]string{entries[0].URL, entries[0].Schema}, text)
		require.Equal(t, "x", entries[0].Config.ConnConfig.Database)
		require.NotContains(t, entries[0].Config.ConnConfig.RuntimeParams, "schema", "the server knows no such setting")
	}
	for text, want := range map[string]string{
		"postgres://h/x?schema=":                         "one schema, or none",
		"postgres://h/x?schema":                          "no known setting",
		"postgres://h/x?schema=kanari&schema=vogel":      "one schema, or none",
		"postgres://u:p?schema=kanari@h/x":               `"@" may stand in it once`,
		"postgres://h/x?schema=kanari postgres://h/y z":  "a space",
		"host=h dbname=x schema=kanari":                  "only an entry of DATABASE_URLS may name a schema",
		"postgres://h/x?schema=kanari&sslmode=vogelfrei": "client cannot read it",
	} {
		_, err := address.Databases(text)
		require.ErrorContains(t, err, want, text)
		requireRefusal(t, err)
	}
	_, err := address.ParseDatabase("postgres://h/x?schema=kanari")
	require.ErrorContains(t, err, "say DATABASE_SCHEMA in its place", "where there is one database")
	requireRefusal(t, err)
}
