package sagapg

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzDecode: whatever lies in the column, decoding ends, and what it accepts is
// exactly what was hashed.
func FuzzDecode(f *testing.F) {
	f.Add(`{"reply_to":"q","steps":[{"name":"a","type":"pivot","destination":"a","request":{"timeout":"1m30s","retry":{"initial":"1s","factor":2,"max":"5s","jitter":0.2,"attempts":3}},"cancel":{"timeout":"0s","retry":{"initial":"0s","factor":0,"max":"0s","jitter":0,"attempts":0}}}]}`)
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
