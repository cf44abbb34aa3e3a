package saga

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"go.example/saga/pkg/jsonmap"
)

// Condition is an expression over payload and outputs that says whether a step is
// needed, for example `payload.guests > 1 && outputs.payment.captured`, in the
// language of github.com/expr-lang/expr. It reads no clock. Empty always holds.
type Condition string

// programs are the conditions that were compiled: those of the definitions in use.
var programs sync.Map

// conditionBudget bounds what one evaluation may allocate, in values.
const conditionBudget = 100_000

func (c Condition) compile() (*vm.Program, error) {
	if known, ok := programs.Load(c); ok {
		return known.(*vm.Program), nil
	}
	program, err := expr.Compile(string(c), expr.Env(environment(nil)), expr.AsBool(), expr.DisableBuiltin("now"))
	if err != nil {
		return nil, err
	}
	programs.Store(c, program)
	return program, nil
}

// holds evaluates the condition.
func (c Condition) holds(data jsonmap.JSONMap) (bool, error) {
	if c == "" {
		return true, nil
	}
	program, err := c.compile()
	if err != nil {
		return false, fmt.Errorf("condition: %w", err)
	}
	machine := vm.VM{MemoryBudget: conditionBudget}
	result, err := machine.Run(program, environment(data))
	if err != nil {
		return false, fmt.Errorf("condition: %w", err)
	}
	holds, ok := result.(bool)
	if !ok {
		return false, fmt.Errorf("condition: it is %T and not true or false", result)
	}
	return holds, nil
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

// reads are the steps whose outputs the condition names.
func (c Condition) reads() []string {
	program, err := c.compile()
	if c == "" || err != nil {
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
