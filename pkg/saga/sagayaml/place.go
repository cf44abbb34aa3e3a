package sagayaml

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"go.example/saga/pkg/saga"
)

// place is where a field stands. Its path is that of the text, which may list the
// steps of a group below it.
type place struct {
	line, column int
	path         string
}

// before says whether p stands before q.
func (p place) before(q place) bool {
	return p.line < q.line || (p.line == q.line && p.column < q.column)
}

func placeOf(node ast.Node) place { return placeAt(firstToken(node)) }

func placeAt(t *token.Token) place {
	if t == nil {
		return place{line: 1, column: 1}
	}
	return place{line: t.Position.Line, column: t.Position.Column}
}

// firstToken is where the node begins: a mapping without brackets at its first key,
// for the library takes the colon after it.
func firstToken(node ast.Node) *token.Token {
	if m, ok := node.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return m.Values[0].Key.GetToken()
	}
	return node.GetToken()
}

// places are the fields by the path that [saga.Definition.Validate] gives them, which
// numbers all steps through.
type places struct {
	known map[string]place
	// told are the fields about which nothing more is to be said: they could not be
	// read, or follow from such a one.
	told map[string]bool
}

// locate finds the place of a problem: that of its field, or of the nearest enclosing
// one that is written down. It is no news when that could not be read.
func (p places) locate(problem saga.FieldProblem) (fault Fault, news bool) {
	for path := problem.Path; ; path = enclosing(path) {
		at, written := p.known[path]
		if p.told[path] {
			return Fault{}, false
		}
		if written || path == "" {
			return Fault{
				Line: at.line, Column: at.column, Path: under(at.path, problem.Path[len(path):]),
				Reason: problem.Reason, Remedy: problem.Remedy,
			}, true
		}
	}
}

// enclosing is the path without its last part.
func enclosing(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// under puts the rest of a path, which may begin with its separator, below another.
func under(path, rest string) string {
	if path == "" {
		return strings.TrimPrefix(rest, ".")
	}
	if rest != "" && rest[0] != '.' && rest[0] != '[' {
		rest = "." + rest
	}
	return path + rest
}
