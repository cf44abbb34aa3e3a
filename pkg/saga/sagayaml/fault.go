package sagayaml

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Error lists the faults of a definition's text in the order in which they stand.
type Error struct{ Faults []Fault }

// Fault is one fault. Line and Column are counted from 1; they are those of the
// nearest enclosing field where the field itself is left out. Path addresses the
// field as the text nests it and is empty for the text as a whole.
type Fault struct {
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Path   string `json:"path"`
	Reason string `json:"reason"`
	Remedy string `json:"remedy"`
}

func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = "line " + f.String()
	}
	return "saga definition: " + strings.Join(lines, "\n")
}

// String is line:column: path: reason: remedy, which an editor can follow after a
// file's name.
func (f Fault) String() string {
	parts := []string{fmt.Sprintf("%d:%d", f.Line, f.Column)}
	for _, part := range []string{f.Path, f.Reason, f.Remedy} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

func compareFaults(a, b Fault) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
}

// failed is the error of the faults in their order.
func failed(faults ...Fault) *Error {
	slices.SortStableFunc(faults, compareFaults)
	return &Error{Faults: faults}
}

// syntaxError turns the YAML library's error into ours, with its place.
func syntaxError(err error) *Error {
	fault := Fault{Line: 1, Column: 1, Reason: err.Error(), Remedy: "correct the YAML"}
	var at yaml.Error
	if errors.As(err, &at) {
		fault.Reason = at.GetMessage()
		if token := at.GetToken(); token != nil {
			fault.Line, fault.Column = token.Position.Line, token.Position.Column
		}
	}
	return failed(fault)
}
