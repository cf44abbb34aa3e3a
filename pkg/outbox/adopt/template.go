package adopt

import (
	"fmt"
	"strings"
)

// part is a piece of a template: words, or the name of a column.
type part struct{ words, column string }

// parse splits a template such as "{aggregatetype}.{type}" into its parts.
func parse(template string) ([]part, error) {
	var parts []part
	for rest := template; rest != ""; {
		words, behind, open := strings.Cut(rest, "{")
		if strings.Contains(words, "}") {
			return nil, fmt.Errorf("%q has a } without a {", template)
		}
		if words != "" {
			parts = append(parts, part{words: words})
		}
		if !open {
			break
		}
		column, behind, closed := strings.Cut(behind, "}")
		if !closed || column == "" || strings.Contains(column, "{") {
			return nil, fmt.Errorf("%q has a { that begins no {column}", template)
		}
		parts = append(parts, part{column: column})
		rest = behind
	}
	return parts, nil
}
