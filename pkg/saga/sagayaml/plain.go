package sagayaml

import (
	"fmt"

	"github.com/goccy/go-yaml/token"
)

// Bounds of a text. The parser calls itself for whatever is nested and remembers the
// path to it, so that a short text could take all memory.
const (
	maxTokens = 50_000
	maxIndent = 100 // columns
	maxFlow   = 16  // brackets within brackets
)

// plain says whether the text keeps the bounds, and without the parts of YAML that a
// definition has no use for.
func plain(tokens token.Tokens) (Fault, bool) {
	var flow nesting
	for _, t := range tokens {
		column := t.Position.Column
		switch t.Type {
		case token.TagType, token.DirectiveType, token.MappingKeyType:
			return at(t, fmt.Sprintf("%q is not used in definitions", t.Value), "leave it out"), false
		case token.MappingValueType:
			if t.Prev != nil {
				column = t.Prev.Position.Column // the key's
			}
			fallthrough
		case token.SequenceEntryType:
			if column > maxIndent && flow.depth == 0 {
				return at(t, "nested too deeply", fmt.Sprintf("indent by at most %d columns", maxIndent)), false
			}
		default:
		}
		if !flow.take(t.Type) {
			return at(t, "nested too deeply", fmt.Sprintf("use at most %d brackets within one another", maxFlow)), false
		}
	}
	if len(tokens) > maxTokens {
		return at(tokens[maxTokens], "the text is too long", fmt.Sprintf("use at most %d words and signs", maxTokens)), false
	}
	return Fault{}, true
}

func at(t *token.Token, reason, remedy string) Fault {
	return Fault{Line: t.Position.Line, Column: t.Position.Column, Reason: reason, Remedy: remedy}
}

// nesting follows the brackets. Within them every colon or dash before the next comma
// nests as well.
type nesting struct{ depth, run int }

func (n *nesting) take(t token.Type) (ok bool) {
	switch t {
	case token.MappingStartType, token.SequenceStartType:
		n.depth, n.run = n.depth+1, 0
	case token.MappingEndType, token.SequenceEndType:
		n.depth, n.run = max(0, n.depth-1), 0
	case token.CollectEntryType:
		n.run = 0
	case token.MappingValueType, token.SequenceEntryType:
		n.run++
	default:
	}
	return n.depth <= maxFlow && (n.depth == 0 || n.run <= maxFlow)
}
