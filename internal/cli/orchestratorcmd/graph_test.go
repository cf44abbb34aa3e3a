package orchestratorcmd

import (
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga/sagayaml"
)

// TestGraphs draws every shape of a definition. Rewrite the pictures with
//
//	go test ./internal/cli/orchestratorcmd -run TestGraphs -rewrite
//
// and look at them.
func TestGraphs(t *testing.T) {
	datadriven.Walk(t, "testdata/graphs", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			def, err := sagayaml.Parse([]byte(d.Input))
			require.NoError(t, err)
			return graph(def)
		})
	})
}
