package sagayaml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// keys reads a mapping with known keys.
func (r *reader) keys(v value, known ...string) map[string]value {
	members := r.mapping(v)
	r.knows(v, members, known...)
	return members
}

// knows tells of the keys that nobody knows: a mistake, not a comment.
func (r *reader) knows(v value, members map[string]value, known ...string) {
	for key, member := range members {
		if slices.Contains(known, key) {
			continue
		}
		remedy := "use " + strings.Join(known, ", ")
		if meant := nearest(key, known); meant != "" {
			remedy = fmt.Sprintf("did you mean %s?", meant)
			r.places.told[under(v.flat, meant)] = true
		}
		r.fault(member.atKey(), fmt.Sprintf("unknown key %q", short(key)), remedy)
		delete(members, key)
	}
}

// mapping reads a mapping with any keys. Its own win over those that are merged in.
func (r *reader) mapping(v value) map[string]value {
	if v.node == nil {
		return nil
	}
	node, ok := r.resolve(v)
	if !ok {
		return nil
	}
	mapping, ok := node.(*ast.MappingNode)
	if !ok {
		r.fault(v, what(node)+" stands here", "write keys with values")
		return nil
	}
	r.left -= len(mapping.Values)
	members := make(map[string]value, len(mapping.Values))
	for _, entry := range mapping.Values {
		r.own(v, entry, members)
	}
	for _, entry := range mapping.Values {
		if entry.Key.IsMergeKey() {
			r.merge(v, entry.Value, members)
		}
	}
	return members
}

// own reads one entry. A fault of its key, or a want of a value, is told there.
func (r *reader) own(v value, entry *ast.MappingValueNode, members map[string]value) {
	if entry.Key.IsMergeKey() {
		return
	}
	key, isText := entry.Key.(*ast.StringNode)
	if !isText {
		r.fault(v.member(entry.Key.GetToken().Value, entry.Key), "not the name of a key", "put it in quotes")
		return
	}
	member := v.member(key.Value, entry.Value)
	member.key = key
	if _, empty := entry.Value.(*ast.NullNode); empty {
		member = member.atKey()
	}
	r.note(member)
	members[key.Value] = member
}

// merge adds what is behind a merge key: a mapping, or a list of them.
func (r *reader) merge(v value, node ast.Node, members map[string]value) {
	source := v.member("<<", node)
	resolved, ok := r.resolve(source)
	if !ok {
		return
	}
	sources := []value{source}
	if resolved.Type() == ast.SequenceType {
		sources = r.list(source)
	}
	for _, s := range sources {
		s.flat, s.path = v.flat, v.path
		for key, member := range r.mapping(s) {
			if _, own := members[key]; !own {
				members[key] = member
			}
		}
	}
}
