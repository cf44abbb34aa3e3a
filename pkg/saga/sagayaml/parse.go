package sagayaml

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"

	"go.example/saga/pkg/saga"
)

// MaxBytes bounds the text of a definition.
const MaxBytes = 1 << 20

// Document is a definition that was read, and where its fields stand.
type Document struct {
	Definition saga.Definition
	places     places
}

// Fault is a fault of the field that [saga.FieldProblem] would call path, found by
// the caller: in comparison with other definitions, for example.
func (d Document) Fault(path, reason, remedy string) Fault {
	fault, _ := d.places.locate(saga.FieldProblem{Path: path, Reason: reason, Remedy: remedy})
	return fault
}

// Parse reads one definition, fills in the defaults and validates it. Its error
// is an [*Error].
func Parse(text []byte) (saga.Definition, error) {
	doc, err := Read(text)
	return doc.Definition, err
}

// Read is Parse that keeps where everything stands.
func Read(text []byte) (Document, error) {
	root, err := tree(bytes.TrimPrefix(text, []byte("\ufeff"))) // the byte order mark of some editors
	if err != nil {
		return Document{}, err
	}
	r := newReader(root)
	def := r.definition(value{node: root, place: placeOf(root)})
	if r.left <= 0 {
		return Document{}, failed(r.tooMany())
	}
	if faults := r.judged(def.Validate()); len(faults) > 0 {
		return Document{}, failed(faults...)
	}
	return Document{Definition: def, places: r.places}, nil
}

// tree is the only document of the text.
func tree(text []byte) (ast.Node, error) {
	if len(text) > MaxBytes {
		return nil, failed(Fault{
			Line: 1, Column: 1, Reason: fmt.Sprintf("the text has %d bytes", len(text)),
			Remedy: fmt.Sprintf("use at most %d", MaxBytes),
		})
	}
	for i, line := range bytes.Split(text, []byte("\n")) {
		if !utf8.Valid(line) {
			return nil, failed(Fault{Line: i + 1, Column: 1, Reason: "not UTF-8", Remedy: "save the text as UTF-8"})
		}
	}
	tokens := lexer.Tokenize(string(text))
	if fault, ok := plain(tokens); !ok {
		return nil, failed(fault)
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, syntaxError(err)
	}
	return onlyDocument(file)
}

func onlyDocument(file *ast.File) (ast.Node, error) {
	var root ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			at := placeOf(doc.Body)
			return nil, failed(Fault{
				Line: at.line, Column: at.column, Reason: "a second document", Remedy: "keep one definition a file",
			})
		}
		root = doc.Body
	}
	if root == nil {
		return nil, failed(Fault{Line: 1, Column: 1, Reason: "no definition", Remedy: "give name, version and steps"})
	}
	return root, nil
}
