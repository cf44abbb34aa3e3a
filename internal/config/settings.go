package config

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// setting is a field of the settings and what was said of it.
type setting struct {
	field, key, variable string
	value                reflect.Value
	// text is what was said, empty for nothing, and place is where.
	text, place string
}

type settings []*setting

// settingsOf lists the fields of a pointer to a struct, with those of the structs that are
// embedded in it.
func settingsOf(into any) settings {
	var all settings
	var walk func(reflect.Value)
	walk = func(in reflect.Value) {
		for i := range in.NumField() {
			field := in.Type().Field(i)
			if field.Anonymous {
				walk(in.Field(i))
				continue
			}
			variable := field.Tag.Get("env")
			key := cmp.Or(strings.ToLower(variable), field.Tag.Get("yaml"))
			all = append(all, &setting{field: field.Name, key: key, variable: variable, value: in.Field(i)})
		}
	}
	walk(reflect.ValueOf(into).Elem())
	return all
}

// readFile takes down what the file says. What is no text, and has no variable, is decoded at
// once. An error quotes nothing of the file but a name, because there may be a password
// beside it.
func (all settings) readFile(path string, text []byte) error {
	file, err := parser.ParseBytes([]byte(strings.TrimPrefix(string(text), byteOrderMark)), 0)
	if err != nil {
		return fmt.Errorf("%s", yaml.FormatError(err, false, false))
	}
	if len(file.Docs) > 1 {
		return fmt.Errorf("it holds %d documents, want one", len(file.Docs))
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil
	}
	body, ok := file.Docs[0].Body.(ast.MapNode)
	if !ok {
		if file.Docs[0].Body.Type() == ast.NullType || file.Docs[0].Body.Type() == ast.CommentType {
			return nil
		}
		return fmt.Errorf("it is no list of settings, each as name: text")
	}
	for pairs := body.MapRange(); pairs.Next(); {
		at := pairs.Key().GetToken().Position
		place := fmt.Sprintf("%s, line %d", path, at.Line)
		if err := all.take(pairs.Key().String(), place, pairs.Value()); err != nil {
			return fmt.Errorf("line %d, column %d: %w", at.Line, at.Column, err)
		}
	}
	return nil
}

func (all settings) take(key, place string, node ast.Node) error {
	for _, s := range all {
		if s.key != key || key == "" {
			continue
		}
		if s.variable == "" {
			if err := yaml.NodeToValue(node, s.value.Addr().Interface(), yaml.Strict()); err != nil {
				return fmt.Errorf("%s: %s", key, yaml.FormatError(err, false, false))
			}
			return nil
		}
		text, ok := textOf(node)
		if !ok {
			return fmt.Errorf("%s is a list or a table, want one text", key)
		}
		s.text, s.place = clean(text), place
		return nil
	}
	return fmt.Errorf("there is no setting %q", key)
}

// textOf is what somebody wrote, whatever YAML takes it for: 010 is the text 010.
func textOf(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.NullNode:
		return "", true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	default:
		return "", false
	}
}

// byteOrderMark is what some editors put in front of a text in UTF-8.
const byteOrderMark = "\ufeff"

func clean(text string) string {
	return strings.TrimRight(strings.TrimPrefix(text, byteOrderMark), " \t\r\n\v\f")
}

// wanted describes a type of settings.
func wanted(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration as 90s or 1m30s"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return "a decimal number"
	default:
		return "a " + t.String()
	}
}
