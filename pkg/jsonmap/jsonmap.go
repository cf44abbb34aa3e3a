package jsonmap

import (
	"bytes"
	"fmt"
)

// JSONMap is a JSON object. After [Parse] its values are nil, bool, string,
// [json.Number], []any and map[string]any; a map built in Go may also hold what
// [JSONMap.MarshalJSON] names.
//
// Nil is the empty object where it is written as JSON, and SQL NULL where pgx gets it
// as a parameter. Reading an SQL NULL or a JSON null gives nil.
//
// pgx takes a JSONMap for json and jsonb, also through its database/sql driver. Only in
// the modes in which it does not ask the server for the parameters' types (exec and
// simple protocol) does it have to be told: RegisterDefaultPgType(JSONMap{}, "jsonb").
//
// As with any map, concurrent reads are safe and a write needs to be alone.
type JSONMap map[string]any

// Parse reads a JSON object. The error is an [*Error].
func Parse(text []byte) (JSONMap, error) {
	s := scanner{text: text, build: true}
	v, err := s.document()
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, &Error{Offset: 0, Reason: "a JSON object is due"}
	}
	return object, nil
}

// UnmarshalJSON implements [json.Unmarshaler]: [Parse], and nil for null.
func (m *JSONMap) UnmarshalJSON(text []byte) error {
	if string(bytes.TrimSpace(text)) == "null" {
		*m = nil
		return nil
	}
	parsed, err := Parse(text)
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}

// Scan implements sql.Scanner for json and jsonb columns.
func (m *JSONMap) Scan(column any) error {
	switch text := column.(type) {
	case nil:
		*m = nil
		return nil
	case []byte:
		return m.UnmarshalJSON(text)
	case string:
		return m.UnmarshalJSON([]byte(text))
	}
	return fmt.Errorf("a %T column is not a JSON object", column)
}
