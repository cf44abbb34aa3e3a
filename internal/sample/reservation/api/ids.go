package api

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// Ids come as numbers or as texts, as their owners keep them.

// number is the id of a hotel or a room.
type number int64

// maxNumber is what every client can represent (2^53 - 1).
const maxNumber = 9007199254740991

// name is the id of a guest. A number is kept digit by digit, whatever its length.
type name string

var (
	names   = regexp.MustCompile(`^[A-Za-z0-9._:@-]{1,64}$`)
	numbers = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)
)

// Schema implements [huma.SchemaProvider].
func (number) Schema(huma.Registry) *huma.Schema {
	least, most, digits := 1.0, float64(maxNumber), 16
	return either(1,
		&huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: &least, Maximum: &most},
		&huma.Schema{Type: huma.TypeString, Pattern: "^[1-9][0-9]*$", PatternDescription: "a whole number", MaxLength: &digits})
}

// Schema implements [huma.SchemaProvider].
func (name) Schema(huma.Registry) *huma.Schema {
	least := 0.0
	return either("b5d8c1a2-8a0f-4f0e-9d5b-0a4f1f1f6a11",
		&huma.Schema{Type: huma.TypeString, Pattern: names.String(), PatternDescription: "1 to 64 letters, digits and . _ : @ -"},
		&huma.Schema{Type: huma.TypeInteger, Minimum: &least})
}

func either(example any, forms ...*huma.Schema) *huma.Schema {
	s := &huma.Schema{OneOf: forms, Description: "A number or a text.", Examples: []any{example}}
	s.PrecomputeMessages()
	return s
}

// UnmarshalJSON implements [json.Unmarshaler].
func (n *number) UnmarshalJSON(text []byte) error {
	id, err := strconv.ParseInt(unquoted(text), 10, 64)
	if err != nil || id > maxNumber {
		return unfit(*n)
	}
	*n = number(id)
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (n *name) UnmarshalJSON(text []byte) error {
	id := unquoted(text)
	if !names.MatchString(id) || text[0] != '"' && !numbers.MatchString(id) {
		return unfit(*n)
	}
	*n = name(id)
	return nil
}

func unquoted(text []byte) string {
	var plain string
	if json.Unmarshal(text, &plain) == nil && text[0] == '"' {
		return plain
	}
	return string(text)
}

// unfit does not quote the value.
func unfit(into any) error {
	return &json.UnmarshalTypeError{Value: "value", Type: reflect.TypeOf(into)}
}
