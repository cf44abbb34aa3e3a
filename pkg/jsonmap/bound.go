package jsonmap

import (
	"encoding/json"
	"math"
	"strings"
)

// AtMost is a bound of [Size] for a map as [JSONMap.MarshalJSON] writes it, found without
// writing it: nothing is shorter than it says, and most is far shorter. Where a value is
// not one that [Parse] makes or that is usual beside it, the bound is so high that it says
// nothing; and it says nothing of whether jsonb can hold the map.
func AtMost(m JSONMap) int { return atMost(map[string]any(m), 0) }

const (
	// unbounded leaves room for sums.
	unbounded = math.MaxInt / 4
	// escaped is how many bytes one may become, as in \u001f.
	escaped = 6
	// boundDepth is as deep as is looked.
	boundDepth = 32
)

func atMost(v any, depth int) int {
	switch v := v.(type) {
	case nil, bool, int, int64:
		return 20 // -9223372036854775808
	case string:
		return escaped*len(v) + 2
	case json.Number:
		if strings.ContainsAny(string(v), "eE") { // an exponent is printed as zeros
			return unbounded
		}
		return len(v)
	case []any:
		if depth == boundDepth {
			return unbounded
		}
		size := 2
		for _, element := range v {
			size = min(size+2+atMost(element, depth+1), unbounded)
		}
		return size
	case JSONMap:
		return atMost(map[string]any(v), depth)
	case map[string]any:
		if depth == boundDepth {
			return unbounded
		}
		size := 2
		for name, member := range v {
			size = min(size+escaped*len(name)+6+atMost(member, depth+1), unbounded)
		}
		return size
	}
	return unbounded
}
