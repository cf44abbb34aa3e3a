package sagapg

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/saga"
)

// FuzzDecode: whatever lies in the column, decoding ends, and what it accepts is
// exactly what was hashed.
func FuzzDecode(f *testing.F) {
	f.Add(`{"mode":"saga","reply_to":"q","deadline":"2h","steps":[{"name":"a","kind":"command","type":"pivot","group":"g","when":"payload.vip","destination":"a","request":{"timeout":"1m30s","retry":{"initial":"1s","factor":2,"max":"5s","jitter":0.2,"attempts":3}},"send":{"n":"/payload/n"},"keep":{}}]}`)
	f.Add(`{"mode":"tcc","steps":[{"kind":"signal","wait":"24h","on_timeout":"park","send":null}]}`)
	f.Add(`{"steps":[{"request":{"timeout":"soon"}}]}`)
	f.Add(`{"steps":[],"more":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		_, err := decode("trip", 1, text, "")
		require.ErrorIs(t, err, ErrNotUnderstood, "no hash is no hash of a plan")
		def, err := parse(text)
		if err != nil {
			return
		}
		again, hash, err := encode(def)
		require.NoError(t, err)
		back, err := decode(def.Name, def.Version, again, hash)
		require.NoError(t, err)
		require.Equal(t, def, back)
	})
}

// Every field of a definition comes back from jsonb as it was, also one that is
// added to the type after this was written.
func TestSpecKeepsEveryField(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t)
	text := rapid.String().Filter(func(s string) bool { return !strings.ContainsRune(s, 0) })
	projection := rapid.OneOf(rapid.Just(saga.Projection(nil)), rapid.Custom(func(t *rapid.T) saga.Projection {
		return rapid.MapOf(text, text).Draw(t, "projection")
	}))
	definitions := rapid.MakeCustom[saga.Definition](rapid.MakeConfig{
		Types: map[reflect.Type]*rapid.Generator[any]{reflect.TypeFor[saga.Projection](): projection.AsAny()},
		Kinds: map[reflect.Kind]*rapid.Generator[any]{
			reflect.String:  text.AsAny(),
			reflect.Float64: rapid.Float64Range(0, 1e9).AsAny(),
		},
	})
	rapid.Check(t, func(r *rapid.T) {
		def := definitions.Draw(r, "definition")
		def.Steps = append([]saga.StepDefinition{}, def.Steps...)
		given, hash, err := encode(def)
		require.NoError(r, err)
		var kept string
		require.NoError(r, db.QueryRow(t.Context(), `SELECT $1::text::jsonb::text`, given).Scan(&kept))
		back, err := decode(def.Name, def.Version, kept, hash)
		require.NoError(r, err)
		require.Equal(r, def, back)
	})
}
