package sagayaml_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga/sagayaml"
)

// TestTexts plays testdata: a definition's text and what Parse makes of it. Rewrite the
// answers with
//
//	go test ./pkg/saga/sagayaml -run TestTexts -rewrite
//
// and read the difference.
func TestTexts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "choreography" {
				return choreography(t, d.Input)
			}
			def, err := sagayaml.Parse([]byte(d.Input))
			if err != nil {
				var located *sagayaml.Error
				require.ErrorAs(t, err, &located)
				return err.Error() + "\n"
			}
			text, err := sagayaml.Marshal(def)
			require.NoError(t, err)
			same, err := sagayaml.Parse(text)
			require.NoError(t, err, "%s", text)
			require.Equal(t, def, same)
			return string(text)
		})
	})
}

// choreography is what ReadChoreography makes of a text.
func choreography(t *testing.T, text string) string {
	t.Helper()
	require.True(t, sagayaml.IsChoreography([]byte(text)) || !strings.Contains(text, "style: choreography"))
	doc, err := sagayaml.ReadChoreography([]byte(text))
	if err != nil {
		var located *sagayaml.Error
		require.ErrorAs(t, err, &located)
		return err.Error() + "\n"
	}
	def := doc.Choreography
	var out strings.Builder
	fmt.Fprintf(&out, "%s@%d\n", def.Name, def.Version)
	for _, e := range def.Events {
		fmt.Fprintf(&out, "  %s of %s within %s\n", e.Name, e.From, e.Within)
	}
	for _, a := range def.Aborts {
		fmt.Fprintf(&out, "  aborted by %s of %s\n", a.Name, a.From)
		for _, e := range a.Undone {
			fmt.Fprintf(&out, "    undone: %s of %s within %s\n", e.Name, e.From, e.Within)
		}
	}
	return out.String()
}

func TestTheSampleDefinitionIsValid(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../deploy/room-reservation.yaml")
	require.NoError(t, err)
	def, err := sagayaml.Parse(text)
	require.NoError(t, err)
	require.Equal(t, "room-reservation", def.Name)
	require.Equal(t, []string{"room-booking", "payment"}, []string{def.Steps[0].Name, def.Steps[1].Name})
	require.Equal(t, 10*time.Second, def.Steps[0].Request.Timeout)
}

func TestTheExamplesAreValid(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../examples/definitions/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		def, err := sagayaml.Parse(text)
		require.NoError(t, err, file)
		require.Equal(t, filepath.Base(file), def.Name+".yaml")
	}
}

// What others find wrong with a definition is told where it stands.
func TestDocumentFault(t *testing.T) {
	t.Parallel()
	doc, err := sagayaml.Read([]byte("name: trip\nversion: 7\nsteps:\n  - parallel: all\n    steps:\n      - name: seat\n"))
	require.NoError(t, err)
	require.Equal(t, "2:10: version: taken: raise it", doc.Fault("version", "taken", "raise it").String())
	require.Equal(t, "6:15: steps[0].steps[0].name: taken: change it", doc.Fault("steps[0].name", "taken", "change it").String())
	require.Equal(t, "4:15: steps[0].parallel: taken: change it", doc.Fault("steps[0].group", "taken", "change it").String())
	require.Equal(t, "1:1: deadline: missing: give one", doc.Fault("deadline", "missing", "give one").String())
}

func ExampleParse() {
	_, err := sagayaml.Parse([]byte("name: trip\nversion: 1\nsteps:\n  - name: seat\n    request:\n      timeout: 0s\n"))
	fmt.Println(err)
	// Output:
	// saga definition: line 6:16: steps[0].request.timeout: 0s is out of bounds: use 1ms to 720h0m0s
}

// Digits are decimal, whatever an age of YAML takes them for, and a byte order mark is no text.
func TestNumbersAreDecimal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"010": 10, "08": 8, "+7": 7, "1_0": 10} {
		def, err := sagayaml.Parse([]byte("\ufeffname: trip\nversion: " + text + "\nsteps: [{name: a}]"))
		require.NoError(t, err, text)
		require.Equal(t, want, def.Version, text)
	}
	for _, text := range []string{"0x10", "0b11", "0o17", "1e1"} {
		_, err := sagayaml.Parse([]byte("name: trip\nversion: " + text + "\nsteps: [{name: a}]"))
		require.ErrorContains(t, err, "line 2:10: version:", text)
	}
}
