package sagasql

import (
	"io/fs"
	"regexp"
)

// variable is how psql writes one; "::" is a cast.
var variable = regexp.MustCompile(`(^|[^:]):([a-z_]+)`)

// Adopt returns the text of a statement in the folder adopt, for names and expressions
// that are known only when it runs: values are SQL text, quoted by the caller, and
// stand in for the file's psql variables. The schema is as in [Query]. It panics where
// the file or a value is missing: mistakes of the program.
func Adopt(schema, name string, values map[string]string) string {
	schema, err := checkSchema(schema)
	if err != nil {
		panic("sagasql: adopt " + name + ": " + err.Error())
	}
	text, err := fs.ReadFile(files, "adopt/"+name)
	if err != nil {
		panic("sagasql: adopt " + name + ": " + err.Error())
	}
	return variable.ReplaceAllStringFunc(withSchema(string(text), schema), func(found string) string {
		parts := variable.FindStringSubmatch(found)
		value, ok := values[parts[2]]
		if !ok {
			panic("sagasql: adopt " + name + ": no value for " + parts[2])
		}
		return parts[1] + value
	})
}

// CheckSchema says why a schema's name is not one that [Up] takes.
func CheckSchema(schema string) error {
	_, err := checkSchema(schema)
	return err
}
