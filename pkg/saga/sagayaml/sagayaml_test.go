package sagayaml_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga/sagayaml"
)

// TestTexts plays testdata: a definition's text and what Parse makes of it.
func TestTexts(t *testing.T) {
	datadriven.RunTest(t, "testdata/texts.txt", func(t *testing.T, d *datadriven.TestData) string {
		def, err := sagayaml.Parse([]byte(d.Input))
		if err != nil {
			var located *sagayaml.Error
			require.ErrorAs(t, err, &located)
			return err.Error() + "\n"
		}
		text, err := sagayaml.Marshal(def)
		require.NoError(t, err)
		return string(text)
	})
}

func TestTheSampleDefinitionIsValid(t *testing.T) {
	text, err := os.ReadFile("../../../deploy/room-reservation.yaml")
	require.NoError(t, err)
	def, err := sagayaml.Parse(text)
	require.NoError(t, err)
	require.Equal(t, "room-reservation", def.Name)
	require.Equal(t, []string{"room-booking", "payment"}, []string{def.Steps[0].Name, def.Steps[1].Name})
	require.Equal(t, 10*time.Second, def.Steps[0].Request.Timeout)
}

func TestTooLongATextIsRefused(t *testing.T) {
	_, err := sagayaml.Parse(make([]byte, sagayaml.MaxBytes+1))
	require.ErrorContains(t, err, "more than")
}

// FuzzParse: no text makes Parse panic, every error is located, and what is
// accepted is valid and survives being written and read again.
func FuzzParse(f *testing.F) {
	f.Add([]byte("name: a\nversion: 1\nsteps:\n  - name: b\n"))
	f.Add([]byte("name: a\nversion: 1\nsteps:\n  - name: b\n    type: pivot\n    request: {timeout: 3s, retry: {jitter: .5}}\n"))
	f.Add([]byte("steps: [{name: [}]"))
	f.Add([]byte("a: &a [*a]\n---\nb: 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		def, err := sagayaml.Parse(text)
		if err != nil {
			var located *sagayaml.Error
			require.ErrorAs(t, err, &located)
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

func ExampleParse() {
	_, err := sagayaml.Parse([]byte("name: trip\nversion: 1\nsteps:\n  - name: seat\n    request:\n      timeout: 0s\n"))
	fmt.Println(err)
	// Output:
	// saga definition: line 6: steps[0].request.timeout: 0s is out of bounds: use 1ms to 720h0m0s
}
