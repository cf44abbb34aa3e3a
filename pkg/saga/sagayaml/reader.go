package sagayaml

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// maxValues bounds how many values are read, those behind aliases as often as they
// are used.
const maxValues = 50_000

// reader makes a definition of the nodes of a text, and notes the faults on the way
// so that all are told. What cannot be read leaves the default in place.
type reader struct {
	anchors map[string][]*ast.AnchorNode
	places  places
	faults  []Fault
	left    int // values that may still be read
}

// value is a node and where it stands. Without a node it was left out.
type value struct {
	node ast.Node
	key  ast.Node // nil in a list
	flat string   // the path that Validate gives it
	place
}

func newReader(root ast.Node) *reader {
	r := &reader{
		anchors: map[string][]*ast.AnchorNode{}, left: maxValues,
		places: places{known: map[string]place{"": placeOf(root)}, told: map[string]bool{}},
	}
	for _, node := range ast.Filter(ast.AnchorType, root) {
		if anchor, ok := node.(*ast.AnchorNode); ok {
			name := anchor.Name.GetToken().Value
			r.anchors[name] = append(r.anchors[name], anchor)
		}
	}
	return r
}

// member is the value of a key below v.
func (v value) member(key string, node ast.Node) value {
	child := value{node: node, flat: under(v.flat, key), place: placeOf(node)}
	child.path = under(v.path, key)
	return child
}

// element is a value in the list v.
func (v value) element(i int, node ast.Node) value {
	child := value{node: node, flat: fmt.Sprintf("%s[%d]", v.flat, i), place: placeOf(node)}
	child.path = fmt.Sprintf("%s[%d]", v.path, i)
	return child
}

// atKey is the value told of where its key stands.
func (v value) atKey() value {
	at := placeOf(v.key)
	v.line, v.column = at.line, at.column
	return v
}

// note remembers where the value stands. What is merged in does not replace it.
func (r *reader) note(v value) {
	if _, known := r.places.known[v.flat]; !known {
		r.places.known[v.flat] = v.place
	}
}

// fault notes that the value is wrong; nothing more is said of it.
func (r *reader) fault(v value, reason, remedy string) {
	r.places.told[v.flat] = true
	r.faults = append(r.faults, Fault{Line: v.line, Column: v.column, Path: v.path, Reason: reason, Remedy: remedy})
}

// resolve is what the value stands for. It is not ok when there is nothing, which was
// told then.
func (r *reader) resolve(v value) (node ast.Node, ok bool) {
	switch n := r.behind(v.node).(type) {
	case nil: // too many values, which is told once
		return nil, false
	case *ast.AliasNode:
		r.fault(v, fmt.Sprintf("no anchor before this is called %q", short(n.Value.GetToken().Value)), "write &name before a value to give it a name")
		return nil, false
	case *ast.NullNode:
		r.fault(v, "has no value", "give it one, or leave the key out")
		return nil, false
	default:
		return n, true
	}
}

// behind follows anchors and aliases; an alias of nothing is left.
func (r *reader) behind(node ast.Node) ast.Node {
	for ; r.left > 0; r.left-- {
		switch n := node.(type) {
		case *ast.AnchorNode:
			node = n.Value
		case *ast.AliasNode:
			target := r.anchored(n)
			if target == nil {
				return n
			}
			node = target
		default:
			r.left--
			return node
		}
	}
	return nil
}

// anchored is what the alias stands for: the last of its name before it.
func (r *reader) anchored(alias *ast.AliasNode) ast.Node {
	named := r.anchors[alias.Value.GetToken().Value]
	for i := len(named) - 1; i >= 0; i-- {
		if placeOf(named[i]).before(placeOf(alias)) {
			return named[i].Value
		}
	}
	return nil
}

// list reads a sequence.
func (r *reader) list(v value) []value {
	if v.node == nil {
		return nil
	}
	node, ok := r.resolve(v)
	if !ok {
		return nil
	}
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		r.fault(v, what(node)+" stands here", "write a list")
		return nil
	}
	r.left -= len(sequence.Values)
	list := make([]value, len(sequence.Values))
	for i, element := range sequence.Values {
		list[i] = v.element(i, element)
	}
	return list
}

// what words the kind of a node for people.
func what(node ast.Node) string {
	switch n := node.(type) {
	case *ast.MappingNode:
		return "a group of keys"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode:
		return fmt.Sprintf("the text %q", short(n.Value))
	case *ast.LiteralNode:
		return "a text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "the number " + short(node.GetToken().Value)
	case *ast.BoolNode:
		return "the word " + node.GetToken().Value
	default:
		return "something else"
	}
}

// short keeps a message readable whatever it quotes.
func short(text string) string {
	const most = 40
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
