package saga

import (
	"maps"
	"slices"

	"go.example/saga/pkg/jsonmap"
)

// Projection makes an object of parts of another one: the name of each member, and
// the JSON Pointer (RFC 6901) at which its value stands. What stands nowhere is left
// out. A step's Send reads {"payload": …, "outputs": {"<step>": …}}, its Keep the
// reply's body.
type Projection map[string]string

// of makes the object.
func (p Projection) of(data jsonmap.JSONMap) jsonmap.JSONMap {
	object := make(jsonmap.JSONMap, len(p))
	for name, pointer := range p {
		if value, there := data.Get(pointer); there {
			object[name] = value
		}
	}
	return object
}

// names are in order, for checks that have to say the same each time.
func (p Projection) names() []string { return slices.Sorted(maps.Keys(p)) }
