package sagayaml

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"go.example/saga/pkg/saga"
)

// maxText bounds one text of a definition in bytes. The longest are conditions.
const maxText = 4096

// text reads a text.
func (r *reader) text(v value, into *string) (ok bool) {
	node, ok := r.scalar(v)
	if !ok {
		return false
	}
	var text string
	switch n := node.(type) {
	case *ast.StringNode:
		text = n.Value
	case *ast.LiteralNode:
		text = n.Value.Value
	case *ast.MappingNode, *ast.SequenceNode:
		r.fault(v, what(node)+" stands here", "write a text")
		return false
	default:
		r.fault(v, what(node)+" stands here", "put it in quotes to make it a text")
		return false
	}
	switch {
	case text == "":
		r.fault(v, "empty", "write something, or leave it out")
	case len(text) > maxText:
		r.fault(v, fmt.Sprintf("a text of %d bytes", len(text)), fmt.Sprintf("use at most %d", maxText))
	default:
		*into = text
		return true
	}
	return false
}

// whole reads a whole number, whose digits are decimal: YAML of one age takes 010 for eight,
// and of another for ten. One beyond every field is left to Validate, which names the bound.
func (r *reader) whole(v value, into *int) {
	node, ok := r.scalar(v)
	if !ok {
		return
	}
	n, err := strconv.ParseInt(unquoted(node), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		r.fault(v, "the number is too large", "write a smaller one")
	case err != nil && node.Type() == ast.IntegerType:
		r.fault(v, what(node)+" stands here", "write it in decimal digits")
	case err != nil:
		r.fault(v, what(node)+" stands here", "write a whole number")
	default:
		*into = int(min(max(n, math.MinInt32), math.MaxInt32+1))
	}
}

// number reads a number with or without a fraction.
func (r *reader) number(v value, into *float64) {
	node, ok := r.scalar(v)
	if !ok {
		return
	}
	switch n := node.(type) {
	case *ast.InfinityNode:
		*into = n.Value
		return
	case *ast.NanNode:
		*into = math.NaN()
		return
	}
	number, err := strconv.ParseFloat(unquoted(node), 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		r.fault(v, "the number is too large", "write a smaller one")
	case err != nil:
		r.fault(v, what(node)+" stands here", "write a number")
	default:
		*into = number
	}
}

// unquoted is what may be a number. The library takes one that is out of range, or has
// an exponent, for a text.
func unquoted(node ast.Node) string {
	switch t := node.GetToken(); t.Type {
	case token.IntegerType, token.FloatType, token.StringType, token.OctetIntegerType, token.HexIntegerType, token.BinaryIntegerType:
		return strings.ReplaceAll(t.Value, "_", "")
	default:
		return ""
	}
}

// duration reads a number with its unit.
func (r *reader) duration(v value, into *time.Duration) (ok bool) {
	node, ok := r.scalar(v)
	if !ok {
		return false
	}
	text, isText := node.(*ast.StringNode)
	if isText {
		if duration, err := time.ParseDuration(text.Value); err == nil {
			*into = duration
			return true
		}
	}
	r.fault(v, what(node)+" is no duration", fmt.Sprintf("write a number with its unit, such as 500ms, 10s or 2h, at most %v", saga.MaxWait))
	return false
}

// scalar is the node of a value that was written.
func (r *reader) scalar(v value) (ast.Node, bool) {
	if v.node == nil {
		return nil, false
	}
	return r.resolve(v)
}
