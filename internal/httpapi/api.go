package httpapi

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// MaxBodyBytes is the largest body of a request.
const MaxBodyBytes = 1 << 20

func init() {
	// Two spellings of one field would be checked once and decoded twice.
	huma.ValidateStrictCasing = true
}

// New makes an interface and the handler that serves it. The interface describes
// itself at /openapi.json and /openapi.yaml. Register its operations with
// [huma.Register].
func New(title, version string) (huma.API, http.Handler) {
	mux := http.NewServeMux()
	config := huma.DefaultConfig(title, version)
	config.DocsPath, config.SchemasPath = "", ""
	config.CreateHooks = nil // no "$schema" members in answers
	format := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal}
	config.Formats = map[string]huma.Format{
		"application/json": format,
		"json":             format, // how huma looks up application/problem+json
	}
	config.Transformers = []huma.Transformer{redact}
	return humago.New(mux, config), bounded(unmatched(mux))
}
