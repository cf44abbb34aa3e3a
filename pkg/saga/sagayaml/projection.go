package sagayaml

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"go.example/saga/pkg/saga"
)

var escapePointer = strings.NewReplacer("~", "~0", "/", "~1")

// projection reads names with JSON Pointers. Where names may be listed, each is kept
// as it is called. An empty one takes nothing, unlike one that was left out.
func (r *reader) projection(v value, listed bool, into *saga.Projection) {
	if v.node == nil {
		return
	}
	p := saga.Projection{}
	if _, isList := r.behind(v.node).(*ast.SequenceNode); listed && isList {
		r.listed(v, p)
	} else {
		for name, pointer := range r.mapping(v) {
			var text string
			r.text(pointer, &text)
			p[name] = text
		}
	}
	*into = p
}

func (r *reader) listed(v value, p saga.Projection) {
	for _, element := range r.list(v) {
		var name string
		if !r.text(element, &name) {
			continue
		}
		if _, twice := p[name]; twice {
			r.fault(element, fmt.Sprintf("%q is listed twice", short(name)), "list it once")
		}
		p[name] = "/" + escapePointer.Replace(name)
	}
}
