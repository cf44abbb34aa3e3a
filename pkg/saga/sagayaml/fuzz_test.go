package sagayaml_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga/sagayaml"
)

// FuzzParse: no text makes Parse panic, every fault has a place, and what is accepted
// is valid and survives being written and read again.
func FuzzParse(f *testing.F) {
	for _, text := range corpus(f) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		def, err := sagayaml.Parse(text)
		if doc, err := sagayaml.ReadChoreography(text); err != nil {
			placed(t, err)
		} else {
			require.NoError(t, doc.Choreography.Validate())
		}
		if err != nil {
			placed(t, err)
			return
		}
		require.NoError(t, def.Validate())
		again, err := sagayaml.Marshal(def)
		require.NoError(t, err)
		same, err := sagayaml.Parse(again)
		require.NoError(t, err, "%s", again)
		require.Equal(t, def, same)
	})
}

// placed holds that each fault says where it is and what would be right.
func placed(t *testing.T, err error) {
	t.Helper()
	var located *sagayaml.Error
	require.ErrorAs(t, err, &located)
	require.NotEmpty(t, located.Faults)
	for _, fault := range located.Faults {
		require.Positive(t, fault.Line)
		require.Positive(t, fault.Column)
		require.NotEmpty(t, fault.Reason)
		require.NotEmpty(t, fault.Remedy)
	}
}

// corpus are the texts of testdata.
func corpus(t testing.TB) []string {
	files, err := filepath.Glob("testdata/[sf]*/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var texts []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for part := range strings.SplitSeq(strings.ReplaceAll(string(content), "\nchoreography\n", "\nparse\n"), "parse\n") {
			text, _, _ := strings.Cut(part, "----\n")
			texts = append(texts, text)
		}
	}
	return texts
}
