package sagasql

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// lineFS is the folder of a line as goose reads it: its migrations with the schema's
// name put in.
type lineFS struct {
	fs.FS
	schema string
}

func openLine(schema string, line Line) (fs.FS, error) {
	if !fs.ValidPath(string(line)) || strings.Contains(string(line), "/") {
		return nil, fmt.Errorf("no line of migrations is called %q", line)
	}
	folder, err := fs.Sub(files, string(line))
	if err != nil {
		return nil, err
	}
	return lineFS{folder, schema}, nil
}

// Open implements [fs.FS].
func (l lineFS) Open(name string) (fs.File, error) {
	file, err := l.FS.Open(name)
	if err != nil || path.Ext(name) != ".sql" {
		return file, err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	return migration{file, strings.NewReader(withSchema(string(text), l.schema))}, nil
}

// migration is a file with another text.
type migration struct {
	fs.File
	text io.Reader
}

// Read implements [fs.File].
func (m migration) Read(p []byte) (int, error) { return m.text.Read(p) }
