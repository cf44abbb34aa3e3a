// Package schematest checks values against the schemas of docs/schema.
package schematest

import (
	"bytes"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"go.example/saga/docs/schema"
)

// Compile reads the schema of that name. It has to be a valid one.
func Compile(t testing.TB, name string) *jsonschema.Schema { return CompilePart(t, name, "") }

// CompilePart is [Compile] of a part, for example "#/$defs/body".
func CompilePart(t testing.TB, name, part string) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource(name, Document(t, name)))
	compiled, err := compiler.Compile(name + part)
	require.NoError(t, err)
	return compiled
}

// Document is the schema of that name as JSON values.
func Document(t testing.TB, name string) map[string]any {
	t.Helper()
	text, err := schema.Text(name)
	require.NoError(t, err)
	document, ok := Value(t, text).(map[string]any)
	require.True(t, ok)
	return document
}

// Value reads a JSON text as validation takes it: numbers stay exact.
func Value(t testing.TB, text []byte) any {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	return value
}
