package outbox

import (
	"strings"

	"github.com/google/uuid"

	"go.example/saga/pkg/jsonmap"
)

// array builds a PostgreSQL array as text (PostgreSQL manual, 8.15.6): what every
// driver can send, where few know how to send a slice.
type array struct{ text strings.Builder }

var escapeElement = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func (a *array) add(value string) {
	if a.text.Len() > 0 {
		a.text.WriteByte(',')
	}
	a.text.WriteByte('"')
	a.text.WriteString(escapeElement.Replace(value))
	a.text.WriteByte('"')
}

func (a *array) literal() string { return "{" + a.text.String() + "}" }

// idText is empty where the database is to draw the id.
func idText(m Message) string {
	if m.ID == uuid.Nil {
		return ""
	}
	return m.ID.String()
}

func headersJSON(headers map[string]string) (string, error) {
	object := make(jsonmap.JSONMap, len(headers))
	for name, value := range headers {
		object[name] = value
	}
	text, err := object.MarshalJSON()
	return string(text), err
}
