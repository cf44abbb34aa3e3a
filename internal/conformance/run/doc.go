// Package run makes the checks of package conformance: it plays the orchestrator, by the
// broker or by HTTP.
package run

import (
	"context"

	"go.example/saga/internal/conformance"
	"go.example/saga/pkg/inbox"
)

// Carrier brings commands to the participant, and what it answers back.
type Carrier interface {
	// Carry sends all copies of a command. What comes of it is heard, by HTTP until ctx ends.
	Carry(ctx context.Context, s *conformance.Sent) error
	// Heard gives what came; it is never closed.
	Heard() <-chan Event
	// Done is closed when nothing can be sent or heard any more, and Err is why.
	Done() <-chan struct{}
	Err() error
	// Direct says that whatever is sent is answered, also what breaks a rule.
	Direct() bool
}

// Event is what came.
type Event struct {
	// To is the command, where the carrier knows.
	To *conformance.Sent
	// Reply is nil where there is Trouble.
	Reply   *inbox.Delivery
	Trouble string
	// Over says that no reply will come.
	Over bool
}
