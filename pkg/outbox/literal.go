package outbox

import (
	"strings"
	"time"

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

// timeText is empty for the zero time. Digits beyond the microseconds are cut off.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.999999Z")
}

// headersJSON adds the trace to a message that has none of its own.
func headersJSON(headers, trace map[string]string) (string, error) {
	object := make(jsonmap.JSONMap, len(headers)+len(trace))
	if !hasTrace(headers) {
		for name, value := range trace {
			object[name] = value
		}
	}
	for name, value := range headers {
		object[name] = value
	}
	text, err := object.MarshalJSON()
	return string(text), err
}
