package condition

import (
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser/lexer"
	"github.com/expr-lang/expr/vm"
	"github.com/expr-lang/expr/vm/runtime"
)

// kept are the language's own functions that compute with no number, or only with
// lengths and places.
var kept = strings.Fields(`all any none one count filter find findIndex findLast findLastIndex map reduce len
	first last take reverse concat flatten keys values toPairs trim trimPrefix trimSuffix upper lower split
	splitAfter replace join indexOf lastIndexOf hasPrefix hasSuffix date duration timezone`)

// The names of what stands for operators. None can be written in an expression.
const (
	place  = "[]"
	within = "in .."
	minus  = "unary -"
)

type function struct {
	do   func(args ...any) (any, error)
	kind any
}

func options() []expr.Option {
	list := []expr.Option{expr.Env(environment(nil)), expr.AsBool(), expr.DisableAllBuiltins()}
	for _, name := range kept {
		list = append(list, expr.EnableBuiltin(name))
	}
	for name, f := range functions {
		list = append(list, expr.Function(name, f.do, f.kind))
	}
	return list
}

// exactly compiles an expression so that all its numbers are exact. The language
// itself knows int and float64 only.
func exactly(text string) (*vm.Program, error) {
	plain, literals, err := literalsOf(text)
	if err != nil {
		return nil, err
	}
	// As it stands first: that knows the operands' types.
	if _, err := expr.Compile(plain, options()...); err != nil {
		return nil, err
	}
	patch := &exact{literals: literals}
	program, err := expr.Compile(plain, append(options(), expr.Optimize(false), expr.Patch(patch))...)
	if patch.unknown != "" {
		return nil, fmt.Errorf("there is no function %s here", patch.unknown)
	}
	return program, err
}

// literalsOf takes the numbers that the language's own parser would round or refuse
// out of the text. In their places stand zeros of the same length.
func literalsOf(text string) (string, map[int]number, error) {
	tokens, err := lexer.Lex(file.NewSource(text))
	if err != nil {
		return "", nil, err
	}
	runes, literals := []rune(text), map[int]number{}
	const safe = 18 // digits that an int64 holds
	for _, t := range tokens {
		if t.Kind != lexer.Number || len(t.Value) > 1 && strings.ContainsAny(t.Value[1:2], "xXoObB") {
			continue
		}
		if len(t.Value) <= safe && !strings.ContainsAny(t.Value, ".eE") {
			continue
		}
		n := number{text: strings.ReplaceAll(t.Value, "_", "")}
		if n.value, err = n.exact(); err != nil {
			return "", nil, fmt.Errorf("%.40s: %w", t.Value, err)
		}
		for i := t.From; i < t.To; i++ {
			runes[i] = '0'
		}
		// A number that begins with its point is no part of the name before it.
		first := t.From
		if runes[first] = ' '; t.To-t.From > 1 {
			first++
		}
		literals[first] = n
	}
	return string(runes), literals, nil
}

// exact puts our functions in the place of the language's operators on numbers.
type exact struct {
	literals map[int]number
	unknown  string // a function that is not kept
}

// Visit implements ast.Visitor.
func (e *exact) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IntegerNode:
		if literal, ours := e.literals[n.Location().From]; ours {
			ast.Patch(node, &ast.ConstantNode{Value: literal})
		}
	case *ast.UnaryNode:
		if n.Operator == "-" || n.Operator == "+" {
			call(node, "unary "+n.Operator, n.Node)
		}
	case *ast.BinaryNode:
		e.binary(node, n)
	case *ast.MemberNode:
		n.Property = placed(n.Property)
	case *ast.BuiltinNode:
		if !slices.Contains(kept, n.Name) && e.unknown == "" { // the parser knows some whatever is disabled
			e.unknown = n.Name
		}
	case *ast.SliceNode:
		n.From, n.To = placed(n.From), placed(n.To)
	}
}

func (e *exact) binary(node *ast.Node, n *ast.BinaryNode) {
	if limits, ok := n.Right.(*ast.BinaryNode); ok && n.Operator == "in" && limits.Operator == ".." {
		call(node, within, n.Left, unplaced(limits.Left), unplaced(limits.Right))
		return
	}
	if n.Operator == ".." {
		n.Left, n.Right = placed(n.Left), placed(n.Right)
		return
	}
	if _, ours := functions[n.Operator]; ours {
		call(node, n.Operator, n.Left, n.Right)
	}
}

func call(node *ast.Node, name string, args ...ast.Node) {
	ast.Patch(node, &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: args})
}

// placed makes a number that is computed the int that the language wants for a place
// in a list.
func placed(n ast.Node) ast.Node {
	switch n.(type) {
	case nil, *ast.StringNode, *ast.IntegerNode:
		return n
	}
	call(&n, place, n)
	return n
}

// unplaced takes that back.
func unplaced(n ast.Node) ast.Node {
	if c, ok := n.(*ast.CallNode); ok && c.Callee.String() == place {
		return c.Arguments[0]
	}
	return n
}

var functions map[string]function

func init() { // they call one another
	comparison := func(name string, holds func(order int) bool, others func(a, b any) bool) {
		functions[name] = function{func(args ...any) (any, error) {
			x, y, numbers, err := rationals(args[0], args[1])
			if err != nil {
				return nil, err
			}
			if numbers {
				return holds(x.Cmp(y)), nil
			}
			return others(args[0], args[1]), nil
		}, new(func(any, any) bool)}
	}
	functions = map[string]function{
		"==": {func(args ...any) (any, error) { return equal(args[0], args[1]) }, new(func(any, any) bool)},
		"!=": {func(args ...any) (any, error) {
			same, err := equal(args[0], args[1])
			return !same, err
		}, new(func(any, any) bool)},
		"in":      {func(args ...any) (any, error) { return in(args[0], args[1]) }, new(func(any, any) bool)},
		within:    {inRange, new(func(any, any, any) bool)},
		place:     {func(args ...any) (any, error) { return asPlace(args[0]) }, new(func(any) any)},
		minus:     {func(args ...any) (any, error) { return unary(args[0], (*big.Rat).Neg) }, new(func(any) any)},
		"unary +": {func(args ...any) (any, error) { return unary(args[0], (*big.Rat).Set) }, new(func(any) any)},
		"abs":     {func(args ...any) (any, error) { return unary(args[0], (*big.Rat).Abs) }, new(func(any) any)},
		"sum":     {func(args ...any) (any, error) { return sum(args[0]) }, new(func(any) any)},
		"max":     {func(args ...any) (any, error) { return extreme(args, 1) }, new(func(...any) any)},
		"min":     {func(args ...any) (any, error) { return extreme(args, -1) }, new(func(...any) any)},
		"string":  {func(args ...any) (any, error) { return asText(args[0]), nil }, new(func(any) string)},
		"type": {func(args ...any) (any, error) {
			if _, isNumber, _ := rational(args[0]); isNumber {
				return "number", nil
			}
			return builtin.Type(args[0]), nil
		}, new(func(any) string)},
	}
	comparison("<", func(order int) bool { return order < 0 }, runtime.Less)
	comparison("<=", func(order int) bool { return order <= 0 }, runtime.LessOrEqual)
	comparison(">", func(order int) bool { return order > 0 }, runtime.More)
	comparison(">=", func(order int) bool { return order >= 0 }, runtime.MoreOrEqual)
	for name := range operations {
		functions[name] = function{func(args ...any) (any, error) { return operate(name, args[0], args[1]) }, new(func(any, any) any)}
	}
}

func operate(name string, a, b any) (any, error) {
	x, y, numbers, err := rationals(a, b)
	switch {
	case err != nil:
		return nil, err
	case numbers:
		value, err := operations[name](new(big.Rat), x, y)
		if err != nil {
			return nil, err
		}
		return result(value)
	case name == "+":
		return runtime.Add(a, b), nil // texts and times
	case name == "-":
		return runtime.Subtract(a, b), nil
	}
	return nil, fmt.Errorf("%s wants two numbers, not %s and %s", name, builtin.Type(a), builtin.Type(b))
}

func unary(a any, do func(z, x *big.Rat) *big.Rat) (any, error) {
	x, isNumber, err := rational(a)
	if err != nil {
		return nil, err
	}
	if !isNumber {
		return nil, fmt.Errorf("a number is wanted, not %s", builtin.Type(a))
	}
	return result(do(new(big.Rat), x))
}

// elements are those of any list.
func elements(list any) ([]any, bool) {
	if list, ok := list.([]any); ok {
		return list, true
	}
	v := reflect.ValueOf(list)
	if !v.IsValid() || v.Kind() != reflect.Slice {
		return nil, false
	}
	all := make([]any, v.Len())
	for i := range all {
		all[i] = v.Index(i).Interface()
	}
	return all, true
}

func equal(a, b any) (bool, error) {
	if x, y, numbers, err := rationals(a, b); err != nil || numbers {
		return err == nil && x.Cmp(y) == 0, err
	}
	if list, ok := elements(a); ok {
		other, too := elements(b)
		if !too || len(list) != len(other) {
			return false, nil
		}
		for i := range list {
			if same, err := equal(list[i], other[i]); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	if object, ok := a.(map[string]any); ok {
		other, too := b.(map[string]any)
		if !too || len(object) != len(other) {
			return false, nil
		}
		for name, member := range object {
			its, there := other[name]
			if !there {
				return false, nil
			}
			if same, err := equal(member, its); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	return runtime.Equal(a, b), nil
}

func in(needle, hay any) (bool, error) {
	list, ok := elements(hay)
	if !ok {
		return runtime.In(needle, hay), nil
	}
	for _, element := range list {
		if same, err := equal(element, needle); same || err != nil {
			return same, err
		}
	}
	return false, nil
}

// inRange is x in low..high, for which no list is made.
func inRange(args ...any) (any, error) {
	limits := [3]*big.Rat{}
	for i, arg := range args {
		value, isNumber, err := rational(arg)
		if err != nil {
			return nil, err
		}
		if !isNumber && i == 0 {
			return false, nil
		}
		if !isNumber || i > 0 && !value.IsInt() {
			return nil, fmt.Errorf("the ends of a range are whole numbers")
		}
		limits[i] = value
	}
	x, low, high := limits[0], limits[1], limits[2]
	return x.IsInt() && low.Cmp(x) <= 0 && x.Cmp(high) <= 0, nil
}

func asPlace(v any) (any, error) {
	n, computed := v.(number)
	if !computed {
		return v, nil
	}
	value, err := n.exact()
	if err != nil {
		return nil, err
	}
	if !value.IsInt() || !value.Num().IsInt64() {
		return nil, errors.New("a place in a list is a whole number")
	}
	return int(value.Num().Int64()), nil
}

func sum(list any) (any, error) {
	all, ok := elements(list)
	if !ok {
		return nil, fmt.Errorf("sum wants a list, not %s", builtin.Type(list))
	}
	var total any = 0
	for _, element := range all {
		var err error
		if total, err = operate("+", total, element); err != nil {
			return nil, err
		}
	}
	return total, nil
}

// extreme is the largest (1) or the smallest (-1) of numbers, of one list or listed.
func extreme(args []any, sign int) (any, error) {
	if len(args) == 1 {
		if list, ok := elements(args[0]); ok {
			args = list
		}
	}
	var best any
	var most *big.Rat
	for _, arg := range args {
		value, isNumber, err := rational(arg)
		if err != nil {
			return nil, err
		}
		if !isNumber {
			return nil, fmt.Errorf("a number is wanted, not %s", builtin.Type(arg))
		}
		if most == nil || value.Cmp(most) == sign {
			best, most = arg, value
		}
	}
	return best, nil
}

func asText(v any) string {
	if n, ok := v.(number); ok {
		return n.written()
	}
	return fmt.Sprint(v)
}
