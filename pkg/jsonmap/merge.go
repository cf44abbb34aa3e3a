package jsonmap

import "slices"

// Merge returns the map with a merge patch applied (RFC 7396): members of the patch
// replace those of the map, objects are merged member by member, null removes, arrays
// are replaced whole. Neither map is changed, and the result shares no map or slice
// with them.
func (m JSONMap) Merge(patch JSONMap) JSONMap { return merged(m, patch) }

func merged(target, patch map[string]any) map[string]any {
	result := make(map[string]any, len(target)+len(patch))
	for name, value := range target {
		if _, patched := patch[name]; !patched {
			result[name] = clone(value)
		}
	}
	for name, value := range patch {
		if value == nil {
			continue
		}
		if object, ok := asObject(value); ok {
			under, _ := asObject(target[name])
			result[name] = merged(under, object)
		} else {
			result[name] = clone(value)
		}
	}
	return result
}

// Clone returns a map that shares no map and no []any with this one. Nil stays nil.
func (m JSONMap) Clone() JSONMap {
	if m == nil {
		return nil
	}
	return cloneObject(m)
}

func cloneObject(object map[string]any) map[string]any {
	result := make(map[string]any, len(object))
	for name, value := range object {
		result[name] = clone(value)
	}
	return result
}

func clone(value any) any {
	if object, ok := asObject(value); ok {
		return cloneObject(object)
	}
	if array, ok := value.([]any); ok {
		array = slices.Clone(array)
		for i := range array {
			array[i] = clone(array[i])
		}
		return array
	}
	return value
}

func asObject(value any) (map[string]any, bool) {
	switch object := value.(type) {
	case map[string]any:
		return object, true
	case JSONMap:
		return object, true
	}
	return nil, false
}
