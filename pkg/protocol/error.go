package protocol

import "fmt"

// DecodeError says why a delivery is not a message of this protocol. Delivering
// it again cannot help. It never quotes the body.
type DecodeError struct {
	// Field is the property, header or part of the body that is wrong:
	// "message_id", "cloudEvents_sagaop", "body".
	Field string
	// Reason is what is wrong with it.
	Reason string
}

func (e *DecodeError) Error() string { return e.Field + ": " + e.Reason }

func bad(field, format string, args ...any) error {
	return &DecodeError{Field: field, Reason: fmt.Sprintf(format, args...)}
}
