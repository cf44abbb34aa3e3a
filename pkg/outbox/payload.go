package outbox

import (
	"encoding/hex"
	"fmt"
	"regexp"

	"go.example/saga/pkg/jsonmap"
)

const defaultContentType = "application/json"

// Written out for both cases, so that they mean the same here and in SQL.
var (
	mediaType     = regexp.MustCompile(`^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+ *(;[ -~]*)?$`)
	jsonMediaType = regexp.MustCompile(`^[^;]*[/+][Jj][Ss][Oo][Nn] *(;|$)`)
)

// isJSON tells which of two columns takes the payload: payload or payload_bytes.
func (m Message) isJSON() bool {
	return m.ContentType == "" || jsonMediaType.MatchString(m.ContentType)
}

func (m Message) checkPayload() *ValidationError {
	if !m.isJSON() {
		if len(m.Payload) > MaxPayload {
			return &ValidationError{Field: "payload_bytes", Reason: fmt.Sprintf("has %d bytes, more than %d", len(m.Payload), MaxPayload)}
		}
		return nil
	}
	size, err := jsonmap.Size(m.Payload)
	if err != nil {
		return &ValidationError{Field: "payload", Reason: err.Error()}
	}
	if size > MaxPayload {
		return &ValidationError{Field: "payload", Reason: fmt.Sprintf("has %d bytes as PostgreSQL prints it, more than %d", size, MaxPayload)}
	}
	return nil
}

// payloadTexts are the two columns; the one that is empty stands for null. In hex, no
// bytes at all are the text \x.
func (m Message) payloadTexts() (json, bytes string) {
	if m.isJSON() {
		return string(m.Payload), ""
	}
	return "", `\x` + hex.EncodeToString(m.Payload)
}
