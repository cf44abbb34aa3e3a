package adopt

var (
	PrepareIn = prepare
	Parse     = parse
)

// Join puts a template together again.
func Join(parts []part) (template string) {
	for _, p := range parts {
		if p.column != "" {
			p.words = "{" + p.column + "}"
		}
		template += p.words
	}
	return template
}
