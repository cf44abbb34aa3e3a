package stack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagayaml"
)

// The saga of a shared schema is the usual one but for where its steps go.
func TestTheSagaOfASharedSchemaIsTheUsualOne(t *testing.T) {
	t.Parallel()
	read := func(form Form) (def saga.Definition, destinations []string) {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", "deploy", form.definition()))
		require.NoError(t, err)
		def, err = sagayaml.Parse(text)
		require.NoError(t, err)
		for i := range def.Steps {
			destinations = append(destinations, def.Steps[i].Destination)
			def.Steps[i].Destination = ""
		}
		return def, destinations
	}
	usual, apart := read(Apart)
	shared, together := read(SharedTable)
	require.Equal(t, usual, shared)
	require.Equal(t, []string{"hotel", "payment"}, apart)
	require.Equal(t, []string{"reservation", "reservation"}, together)
}

func TestTheRelaysEntryOfAForm(t *testing.T) {
	t.Parallel()
	require.Equal(t, "postgres://h/x", Apart.listed("postgres://h/x", "hotel"))
	require.Equal(t, "postgres://h/x", SharedTable.listed("postgres://h/x", "hotel"))
	require.Equal(t, "postgres://h/x?schema=hotel", SharedSchema.listed("postgres://h/x", "hotel"))
	require.Equal(t, "postgres://h/x?sslmode=disable&schema=hotel", SharedSchema.listed("postgres://h/x?sslmode=disable", "hotel"))
}
