package report

import (
	"fmt"
	"os"
	"strings"
)

// The generated part of a page stands between these lines; the first names the
// target of make that writes it.
const (
	begin = "<!-- begin: written by make %s -->\n"
	end   = "<!-- end -->\n"
)

// Page is a file with a place for the report.
type Page struct{ path, before, after string }

// OpenPage finds the place of a target of make: before a long run, not after it.
func OpenPage(path, target string) (Page, error) {
	begin := fmt.Sprintf(begin, target)
	text, err := os.ReadFile(path)
	if err != nil {
		return Page{}, fmt.Errorf("read the page for the report: %w", err)
	}
	before, rest, begun := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !begun || !ended {
		return Page{}, fmt.Errorf("%s has no place for the report: it needs the lines\n%s%s", path, begin, end)
	}
	return Page{path: path, before: before + begin, after: end + after}, nil
}

// Write replaces what stands in the place.
func (p Page) Write(report string) error {
	text := p.before + "\n" + strings.TrimSpace(report) + "\n\n" + p.after
	if err := os.WriteFile(p.path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
