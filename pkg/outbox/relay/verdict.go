package relay

import (
	"errors"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/desk"
)

// reasonOf is the class of a publisher's error; empty when it is no verdict on the
// message.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, outbox.ErrUnroutable):
		return desk.Unroutable
	case errors.Is(err, outbox.ErrNacked):
		return desk.Nacked
	case errors.Is(err, outbox.ErrUnpublishable):
		return desk.Invalid
	case errors.Is(err, outbox.ErrFatal):
		return desk.Fatal
	default:
		return ""
	}
}
