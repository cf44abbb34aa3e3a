// Package condition evaluates the conditions of definitions: expressions over JSON
// values, in the language of github.com/expr-lang/expr. They read no clock and cost
// bounded time and memory, so that the same data gives the same answer.
//
// Numbers are exact: those of the data, those that the expression names, and what is
// computed with them. 9007199254740993 is not 9007199254740992.0, 0.1 + 0.2 == 0.3
// holds, 1.0 == 1 does, and so does 1 / 3 * 3 == 1. A number may have [MaxDigits]
// digits before its decimal point and as many after it; a condition that meets a longer
// one is not decided but fails with [ErrInexact]. A number is never equal to a text.
//
// Of the language's functions there are those that keep this: all, any, none, one,
// count, filter, find, findIndex, findLast, findLastIndex, map, reduce, len, abs, sum,
// min and max (of a list, or of what is listed), string, type, first, last, take,
// reverse, concat, flatten, keys, values, toPairs, trim, trimPrefix, trimSuffix, upper,
// lower, split, splitAfter, replace, join, indexOf, lastIndexOf, hasPrefix, hasSuffix,
// date, duration and timezone.
package condition

import (
	"errors"
	"fmt"
	"strings"
	"sync"

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
	program, err := exactly(string(e))
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
	if errors.Is(err, ErrInexact) {
		return false, fmt.Errorf("condition: %w%s", ErrInexact, strings.TrimPrefix(firstLine(err), ErrInexact.Error()))
	}
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
		if object, ok := numbered(data[name]).(map[string]any); ok {
			env[name] = object
		}
	}
	return env
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
