package sagayaml

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"go.example/saga/pkg/saga"
)

// MaxBytes bounds the text of a definition.
const MaxBytes = 1 << 20

// Error lists the faults of a definition's text.
type Error struct{ Faults []Fault }

// Fault is one fault and the line, counted from 1, where it stands; 0 where no
// line can be told.
type Fault struct {
	Line    int
	Message string
}

func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = fmt.Sprintf("line %d: %s", f.Line, f.Message)
	}
	return "saga definition: " + strings.Join(lines, "\n")
}

// Parse reads one definition, fills in the defaults and validates it. Its error
// is an [*Error].
func Parse(text []byte) (saga.Definition, error) {
	if len(text) > MaxBytes {
		return saga.Definition{}, fault(0, fmt.Sprintf("the text has %d bytes, more than %d", len(text), MaxBytes))
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return saga.Definition{}, syntaxError(err)
	}
	root, err := onlyDocument(file)
	if err != nil {
		return saga.Definition{}, err
	}
	var doc definition
	if err := yaml.NodeToValue(root, &doc, yaml.Strict()); err != nil {
		return saga.Definition{}, syntaxError(err)
	}
	def := doc.build()
	var invalid *saga.DefinitionError
	if err := def.Validate(); errors.As(err, &invalid) {
		return saga.Definition{}, locate(root, invalid)
	}
	return def, nil
}

func fault(line int, message string) *Error {
	return &Error{Faults: []Fault{{Line: line, Message: message}}}
}

func onlyDocument(file *ast.File) (ast.Node, error) {
	var root ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			return nil, fault(lineOf(doc.Body), "a second document: keep one definition a file")
		}
		root = doc.Body
	}
	if root == nil {
		return nil, fault(1, "no definition: give name, version and steps")
	}
	return root, nil
}

// syntaxError turns the YAML library's error into ours, with its line.
func syntaxError(err error) error {
	var wrong *yaml.TypeError
	if errors.As(err, &wrong) && wrong.Token != nil {
		return fault(wrong.Token.Position.Line, mistyped(wrong))
	}
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		return fault(at.GetToken().Position.Line, at.GetMessage())
	}
	return fault(0, err.Error())
}

func mistyped(wrong *yaml.TypeError) string {
	switch {
	case wrong.DstType == reflect.TypeFor[time.Duration]():
		return "not a duration: write a number with its unit, such as 500ms, 10s or 2m"
	case wrong.DstType.Kind() == reflect.Struct:
		return "a group of fields belongs here, not a " + wrong.SrcType.String()
	default:
		return fmt.Sprintf("a %s belongs here, not a %s", wrong.DstType, wrong.SrcType)
	}
}

// locate finds the line of every problem: that of the field, or of the nearest
// enclosing one that is written down when the field itself is left out.
func locate(root ast.Node, invalid *saga.DefinitionError) error {
	faults := make([]Fault, len(invalid.Problems))
	for i, p := range invalid.Problems {
		faults[i] = Fault{Line: line(root, p.Path), Message: p.String()}
	}
	return &Error{Faults: faults}
}

func line(root ast.Node, path string) int {
	for path != "" {
		if at, err := yaml.PathString("$." + path); err == nil {
			if node, err := at.FilterNode(root); err == nil && node != nil {
				return lineOf(node)
			}
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return lineOf(root)
}

func lineOf(node ast.Node) int {
	if t := node.GetToken(); t != nil {
		return t.Position.Line
	}
	return 0
}
