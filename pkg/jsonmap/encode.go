package jsonmap

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MarshalJSON implements [json.Marshaler]. The text is the same for the same content:
// names are sorted, nothing is escaped that JSON does not ask for.
//
// Values may be nil, bools, strings, [json.Number], integers and floats of any size,
// slices and arrays of values, maps from strings to values, pointers to any of these,
// and what implements [json.Marshaler] or [encoding.TextMarshaler]. A nil slice or map
// is an empty one. Other values, among them structs and []byte, are refused, and so is
// whatever [Check] refuses. The error is an [*Error].
func (m JSONMap) MarshalJSON() ([]byte, error) {
	return encoder{}.members(make([]byte, 0, 32*len(m)+2), m)
}

// encoder writes values; it knows where in the map it is.
type encoder struct{ path path }

func (e encoder) fail(reason string) error {
	return &Error{Pointer: e.path.pointer(), Offset: -1, Reason: reason}
}

// plain writes a value; the kinds that Parse makes, and what most maps hold besides,
// need no reflection.
func (e encoder) plain(b []byte, value any) ([]byte, error) {
	switch value := value.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, value), nil
	case string:
		return e.str(b, value)
	case int:
		return strconv.AppendInt(b, int64(value), 10), nil
	case int64:
		return strconv.AppendInt(b, value, 10), nil
	case json.Number:
		return e.number(b, value)
	case JSONMap:
		return e.members(b, value)
	case map[string]any:
		return e.members(b, value)
	}
	return e.value(b, reflect.ValueOf(value))
}

func (e encoder) number(b []byte, number json.Number) ([]byte, error) {
	if _, reason := parseNumber(string(number)); reason != "" {
		return b, e.fail(reason)
	}
	return append(b, number...), nil
}

// members writes an object.
func (e encoder) members(b []byte, object map[string]any) (_ []byte, err error) {
	if len(e.path) >= MaxDepth {
		return b, e.fail(tooDeep)
	}
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	inside := encoder{e.path.member("")} // one path for all members
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		inside.path[len(e.path)].name = name
		if b, err = inside.str(b, name); err != nil {
			return nil, err
		}
		if b, err = inside.plain(append(b, ':'), object[name]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func (e encoder) value(b []byte, v reflect.Value) ([]byte, error) {
	if !v.IsValid() {
		return append(b, "null"...), nil
	}
	if v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return append(b, "null"...), nil
		}
	}
	if text, ours, err := e.marshaler(v); ours {
		return append(b, text...), err
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		return e.value(b, v.Elem())
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool()), nil
	case reflect.String:
		return e.str(b, v.String())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(b, v.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return strconv.AppendUint(b, v.Uint(), 10), nil
	case reflect.Float32, reflect.Float64:
		return e.float(b, v)
	case reflect.Slice, reflect.Array:
		return e.array(b, v)
	case reflect.Map:
		return e.object(b, v)
	}
	return b, e.fail("a Go " + v.Type().String() + " is no JSON value")
}

// marshaler writes a value that knows its own JSON or text.
func (e encoder) marshaler(v reflect.Value) (text []byte, ours bool, err error) {
	if !v.CanInterface() {
		return nil, false, nil
	}
	switch value := v.Interface().(type) {
	case json.Number:
		text, err = e.number(nil, value)
		return text, true, err
	case JSONMap:
		return nil, false, nil // as any other map, which keeps the path
	case json.Marshaler:
		if text, err = value.MarshalJSON(); err != nil {
			return nil, true, e.fail("its MarshalJSON: " + err.Error())
		}
		return text, true, e.check(text)
	case encoding.TextMarshaler:
		if text, err = value.MarshalText(); err != nil {
			return nil, true, e.fail("its MarshalText: " + err.Error())
		}
		text, err = e.str(nil, string(text))
		return text, true, err
	}
	return nil, false, nil
}

// check checks foreign text at this place of the map.
func (e encoder) check(text []byte) error {
	s := scanner{text: text, path: slices.Clip(e.path)}
	_, err := s.document()
	var wrong *Error
	if errors.As(err, &wrong) {
		wrong.Offset = -1
	}
	return err
}

func (e encoder) float(b []byte, v reflect.Value) ([]byte, error) {
	if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
		return b, e.fail(fmt.Sprint("JSON has no number ", f))
	}
	text, err := json.Marshal(v.Interface())
	return append(b, text...), err
}

func (e encoder) str(b []byte, text string) ([]byte, error) {
	if !utf8.ValidString(text) {
		return b, e.fail(invalidUTF8)
	}
	if strings.IndexByte(text, 0) >= 0 {
		return b, e.fail(zeroCharacter)
	}
	return appendString(b, text), nil
}

func (e encoder) array(b []byte, v reflect.Value) (_ []byte, err error) {
	if v.Kind() == reflect.Slice {
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return b, e.fail("JSON has no bytes: encode them as a string")
		}
		if v.IsNil() {
			return append(b, "[]"...), nil
		}
	}
	if len(e.path) >= MaxDepth {
		return b, e.fail(tooDeep)
	}
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = (encoder{e.path.element(i)}).value(b, v.Index(i)); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func (e encoder) object(b []byte, v reflect.Value) (_ []byte, err error) {
	if v.Type().Key().Kind() != reflect.String {
		return b, e.fail("the names of a JSON object are strings, not " + v.Type().Key().String())
	}
	if len(e.path) >= MaxDepth {
		return b, e.fail(tooDeep)
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(x, y reflect.Value) int { return strings.Compare(x.String(), y.String()) })
	b = append(b, '{')
	for i, key := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		member := encoder{e.path.member(key.String())}
		if b, err = member.str(b, key.String()); err != nil {
			return nil, err
		}
		if b, err = member.value(append(b, ':'), v.MapIndex(key)); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendString quotes a valid string, escaping no more than RFC 8259 asks for.
func appendString(b []byte, text string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
