package sagasql

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// migration is a file of a line, with the number at the front of its name.
type migration struct {
	name, text string
	version    int64
}

// migrationsOf lists a line's, in order.
func migrationsOf(line Line) ([]migration, error) {
	if !fs.ValidPath(string(line)) || strings.Contains(string(line), "/") {
		return nil, fmt.Errorf("no line of migrations is called %q", line)
	}
	names, err := fs.Glob(files, string(line)+"/[0-9]*.sql") // sorted
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("no line of migrations is called %q", line)
	}
	all := make([]migration, len(names))
	for i, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		number, _, _ := strings.Cut(path.Base(name), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the name of %s begins with no number: %w", name, err)
		}
		all[i] = migration{path.Base(name), string(text), version}
	}
	return all, nil
}

var makes = regexp.MustCompile(`(?m)^CREATE (?:UNIQUE )?(TABLE|VIEW|INDEX|FUNCTION|TRIGGER) (?:public\.)?(\w+)`)

// makes lists the objects that a migration creates.
func (m migration) makes() (kinds, names []string) {
	for _, found := range makes.FindAllStringSubmatch(m.text, -1) {
		kinds, names = append(kinds, found[1]), append(names, found[2])
	}
	return kinds, names
}
