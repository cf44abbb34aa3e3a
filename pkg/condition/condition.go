// Package condition evaluates the conditions of definitions: expressions over JSON
// values, in the language of github.com/expr-lang/expr. They read no clock and cost
// bounded time and memory, so that the same data gives the same answer.
package condition

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"go.example/saga/pkg/jsonmap"
)

// Expression is a condition over the objects payload and outputs, for example
// `payload.guests > 1 && outputs.payment.captured == true`. What is not there is
// nil. Empty always holds.
type Expression string

// programs are the conditions that were compiled: those of the definitions in use,
// and those that somebody has checked.
var programs = struct {
	sync.Mutex
	of map[Expression]*vm.Program
}{of: map[Expression]*vm.Program{}}

const (
	// budget bounds what one evaluation may allocate, in values.
	budget = 100_000
	// maxPrograms bounds what is kept.
	maxPrograms = 1000
)

func (e Expression) compile() (*vm.Program, error) {
	programs.Lock()
	known := programs.of[e]
	programs.Unlock()
	if known != nil {
		return known, nil
	}
	program, err := expr.Compile(string(e), expr.Env(environment(nil)), expr.AsBool(), expr.DisableBuiltin("now"))
	if err != nil {
		return nil, err
	}
	programs.Lock()
	defer programs.Unlock()
	if len(programs.of) >= maxPrograms {
		clear(programs.of)
	}
	programs.of[e] = program
	return program, nil
}

// Check says what is wrong with the expression itself.
func (e Expression) Check() error {
	if e == "" {
		return nil
	}
	_, err := e.compile()
	return err
}

// Holds evaluates the condition on {"payload": …, "outputs": …}. An error comes
// again with the same data.
func (e Expression) Holds(data jsonmap.JSONMap) (bool, error) {
	if e == "" {
		return true, nil
	}
	program, err := e.compile()
	if err != nil {
		return false, fmt.Errorf("condition: %w", err)
	}
	machine := vm.VM{MemoryBudget: budget}
	result, err := machine.Run(program, environment(data))
	if err != nil {
		return false, fmt.Errorf("condition: %s", firstLine(err)) // the rest is a drawing
	}
	holds, ok := result.(bool)
	if !ok {
		return false, fmt.Errorf("condition: it is %T and not true or false", result)
	}
	return holds, nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// environment is the data with its numbers as the language computes with them.
func environment(data jsonmap.JSONMap) map[string]any {
	env := map[string]any{"payload": map[string]any{}, "outputs": map[string]any{}}
	for name := range env {
		if object, ok := data[name].(map[string]any); ok {
			env[name] = computable(object)
		}
	}
	return env
}

func computable(value any) any {
	switch v := value.(type) {
	case map[string]any:
		object := make(map[string]any, len(v))
		for name, member := range v {
			object[name] = computable(member)
		}
		return object
	case jsonmap.JSONMap:
		return computable(map[string]any(v))
	case []any:
		list := make([]any, len(v))
		for i, element := range v {
			list[i] = computable(element)
		}
		return list
	case json.Number:
		if whole, err := v.Int64(); err == nil {
			return int(whole)
		}
		fraction, err := v.Float64()
		if err != nil {
			return string(v)
		}
		return fraction
	default:
		return value
	}
}

// Reads are the steps whose outputs the condition names.
func (e Expression) Reads() []string {
	if e == "" {
		return nil
	}
	program, err := e.compile()
	if err != nil {
		return nil
	}
	var found outputsRead
	node := program.Node()
	ast.Walk(&node, &found)
	return found
}

// outputsRead collects the names in outputs.NAME and outputs["NAME"].
type outputsRead []string

// Visit implements ast.Visitor.
func (o *outputsRead) Visit(node *ast.Node) {
	member, ok := (*node).(*ast.MemberNode)
	if !ok {
		return
	}
	object, isName := member.Node.(*ast.IdentifierNode)
	name, isText := member.Property.(*ast.StringNode)
	if isName && isText && object.Value == "outputs" {
		*o = append(*o, name.Value)
	}
}
