package footprint_test

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/footprint"
)

var sink []byte

// A process in which little lives collects when there is about as much garbage as there
// is ballast, and the ballast itself takes no memory.
func TestGarbagePilesUpAsHighAsTheBallast(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	footprint.Usual.Keep()
	runtime.GC()
	most, before := uint64(0), collections()
	for range 300 {
		for range 1000 {
			sink = make([]byte, 1000)
		}
		most = max(most, objects())
	}
	// With a few megabytes live and the usual pace, a hundred collections and more.
	require.Greater(t, most, uint64(3*footprint.Held()/2), "the ballast counts as live")
	require.Less(t, collections()-before, uint64(60), "300 MB passed through")
}

func objects() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func collections() uint64 {
	s := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
