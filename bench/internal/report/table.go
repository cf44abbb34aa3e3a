// Package report writes what was measured as Markdown, into the part of a page
// that is marked for it.
package report

import (
	"fmt"
	"strings"

	"go.example/saga/bench/internal/stats"
)

// Table is what one scenario measured.
type Table struct {
	Title string
	// Note says what the columns mean, in one paragraph.
	Note string
	Head []string
	Rows [][]string
}

// Markdown is the table under its title.
func (t Table) Markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "### %s\n\n", t.Title)
	if t.Note != "" {
		fmt.Fprintf(&out, "%s\n\n", t.Note)
	}
	line := func(cells []string) { fmt.Fprintf(&out, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.Head)
	rule := make([]string, len(t.Head))
	for i := range rule {
		rule[i] = "---"
	}
	line(rule)
	for _, row := range t.Rows {
		line(row)
	}
	return out.String()
}

// Bars are the verdicts as a table.
func Bars(bars []stats.Bar) Table {
	t := Table{Title: "The bars", Head: []string{"bar", "measured", "limit", "verdict"}}
	for _, b := range bars {
		t.Rows = append(t.Rows, []string{b.Name, stats.Number(b.Value), b.Bound(), b.Verdict()})
	}
	return t
}
