package rabbit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"
)

// AMQP's values in JSON, without loss. Text, booleans, void and arrays are what they are
// in JSON; any other value is an object with one member, which names its type:
//
//	{"int32": 5}   also uint8, int8, int16, uint16, uint32, int64
//	{"float64": "1.5"}, {"float32": "-0"}   NaN as "bits:" and its bits in hexadecimal
//	{"decimal": {"scale": 2, "value": 1999}}
//	{"timestamp": "2027-01-10T12:00:00Z"}   whole seconds since 1970 beyond the year 9999
//	{"bytes": "base64"}, {"table": {"name": value}}
//	{"string64": "base64"}   text that is not UTF-8 or has a zero in it
//
// A name that is no such text either, or begins with "base64:", is "base64:" and its base64.

const keyPrefix = "base64:"

func storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

func encodeText(s string) any {
	if storable(s) {
		return s
	}
	return map[string]any{"string64": []byte(s)}
}

// encodeTable leaves out the names that are said.
func encodeTable(table amqp.Table, except ...string) (map[string]any, error) {
	out := make(map[string]any, len(table))
	for name, value := range table {
		if slices.Contains(except, name) {
			continue
		}
		encoded, err := encodeValue(value)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		if !storable(name) || strings.HasPrefix(name, keyPrefix) {
			name = keyPrefix + base64.StdEncoding.EncodeToString([]byte(name))
		}
		out[name] = encoded
	}
	return out, nil
}

func encodeValue(value any) (any, error) {
	typed := func(kind string, v any) (any, error) { return map[string]any{kind: v}, nil }
	switch v := value.(type) {
	case nil, bool:
		return v, nil
	case string:
		return encodeText(v), nil
	case uint8, int8, int16, uint16, int32, uint32, int64:
		return typed(fmt.Sprintf("%T", v), v)
	case float32:
		return typed("float32", encodeFloat(float64(v), 32, uint64(math.Float32bits(v))))
	case float64:
		return typed("float64", encodeFloat(v, 64, math.Float64bits(v)))
	case amqp.Decimal:
		return typed("decimal", map[string]any{"scale": v.Scale, "value": v.Value})
	case time.Time:
		return typed("timestamp", encodeTime(v))
	case []byte:
		return typed("bytes", v)
	case amqp.Table:
		table, err := encodeTable(v)
		if err != nil {
			return nil, err
		}
		return typed("table", table)
	case []any:
		list := make([]any, len(v))
		for i, element := range v {
			var err error
			if list[i], err = encodeValue(element); err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
		}
		return list, nil
	default:
		return nil, fmt.Errorf("AMQP brings no value of the type %T", v)
	}
}

func encodeFloat(f float64, size int, bits uint64) string {
	if math.IsNaN(f) { // there are many
		return "bits:" + strconv.FormatUint(bits, 16)
	}
	return strconv.FormatFloat(f, 'g', -1, size)
}

var errShape = errors.New("it has not the shape of its type")

// decodeDocument reads an object and keeps its numbers exact.
func decodeDocument(doc json.RawMessage) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(doc))
	decoder.UseNumber()
	var found map[string]any
	if err := decoder.Decode(&found); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errShape
	}
	return found, nil
}

func decodeTable(document map[string]any) (amqp.Table, error) {
	table := make(amqp.Table, len(document))
	for name, value := range document {
		if text, coded := strings.CutPrefix(name, keyPrefix); coded {
			key, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return nil, fmt.Errorf("the name %q: %w", name, err)
			}
			name = string(key)
		}
		decoded, err := decodeValue(value)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		table[name] = decoded
	}
	return table, nil
}

func decodeValue(value any) (any, error) {
	switch v := value.(type) {
	case nil, bool, string:
		return v, nil
	case []any:
		var list []any // as the library reads an empty one
		for i, element := range v {
			decoded, err := decodeValue(element)
			if err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
			list = append(list, decoded)
		}
		return list, nil
	case map[string]any:
		if len(v) == 1 {
			kind := slices.Collect(maps.Keys(v))[0]
			return decodeTyped(kind, v[kind])
		}
	}
	return nil, errShape
}

func decodeTyped(kind string, value any) (any, error) {
	switch kind {
	case "string64":
		content, err := decodeBytes(value)
		return string(content), err
	case "bytes":
		return decodeBytes(value)
	case "timestamp":
		return decodeTime(value)
	case "float32":
		f, bits, err := decodeFloat(value, 32)
		if bits != 0 {
			return math.Float32frombits(uint32(bits)), err
		}
		return float32(f), err
	case "float64":
		f, bits, err := decodeFloat(value, 64)
		if bits != 0 {
			return math.Float64frombits(bits), err
		}
		return f, err
	case "table":
		if document, ok := value.(map[string]any); ok {
			return decodeTable(document)
		}
		return nil, errShape
	case "decimal":
		return decodeDecimal(value)
	default:
		return decodeInteger(kind, value)
	}
}

func decodeInteger(kind string, value any) (any, error) {
	switch kind {
	case "uint8":
		return decodeUint8(value)
	case "int8":
		n, err := signed(value, 8)
		return int8(n), err
	case "int16":
		n, err := signed(value, 16)
		return int16(n), err
	case "int32":
		n, err := signed(value, 32)
		return int32(n), err
	case "int64":
		return signed(value, 64)
	case "uint16":
		n, err := unsigned(value, 16)
		return uint16(n), err
	case "uint32":
		n, err := unsigned(value, 32)
		return uint32(n), err
	default:
		return nil, fmt.Errorf("AMQP has no type %q", kind)
	}
}

func signed(value any, bits int) (int64, error) {
	number, _ := value.(json.Number)
	return strconv.ParseInt(number.String(), 10, bits)
}

func unsigned(value any, bits int) (uint64, error) {
	number, _ := value.(json.Number)
	return strconv.ParseUint(number.String(), 10, bits)
}

func decodeUint8(value any) (uint8, error) {
	n, err := unsigned(value, 8)
	return uint8(n), err
}

func decodeDecimal(value any) (amqp.Decimal, error) {
	parts, _ := value.(map[string]any)
	scale, err := decodeUint8(parts["scale"])
	if err != nil {
		return amqp.Decimal{}, err
	}
	number, err := signed(parts["value"], 32)
	return amqp.Decimal{Scale: scale, Value: int32(number)}, err
}

// decodeFloat returns the bits of a NaN, which are not 0, and else 0.
func decodeFloat(value any, size int) (f float64, bits uint64, err error) {
	text, _ := value.(string)
	if hex, nan := strings.CutPrefix(text, "bits:"); nan {
		bits, err = strconv.ParseUint(hex, 16, size)
		return 0, bits, err
	}
	f, err = strconv.ParseFloat(text, size)
	return f, 0, err
}

func decodeBytes(value any) ([]byte, error) {
	text, ok := value.(string)
	if !ok {
		return nil, errShape
	}
	return base64.StdEncoding.DecodeString(text)
}

func decodeText(value any) (string, error) {
	decoded, err := decodeValue(value)
	text, ok := decoded.(string)
	if err == nil && !ok {
		err = errShape
	}
	return text, err
}

// decodeTime is UTC, which AMQP's times are.
func decodeTime(value any) (time.Time, error) {
	if text, ok := value.(string); ok {
		return time.Parse(time.RFC3339, text)
	}
	seconds, err := signed(value, 64)
	return time.Unix(seconds, 0).UTC(), err
}
