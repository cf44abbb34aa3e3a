// Package schema holds the project's JSON Schemas (draft 2020-12): of the definitions of
// sagas, for editors, and of the messages in docs/protocol.md, for programs in any language.
package schema

import (
	"embed"
	"io/fs"
	"strings"
)

const suffix = ".schema.json"

//go:embed *.schema.json
var files embed.FS

// Names are those of all schemas, sorted, for example "definition".
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // it is compiled in
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = strings.TrimSuffix(entry.Name(), suffix)
	}
	return names
}

// Text is the schema of that name, or an error that is [fs.ErrNotExist].
func Text(name string) ([]byte, error) { return fs.ReadFile(files, name+suffix) }
