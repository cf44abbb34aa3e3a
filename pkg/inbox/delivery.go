package inbox

import "context"

// Delivery is one message from the broker, reduced to what the protocol uses.
type Delivery struct {
	MessageID     string
	CorrelationID string
	Type          string
	ReplyTo       string
	ContentType   string
	AppID         string
	Exchange      string
	RoutingKey    string
	Redelivered   bool
	// Headers holds the application headers whose values are strings; the
	// protocol uses no others.
	Headers map[string]string
	Body    []byte
}

// Batch is what one receive brought. It belongs to the broker session that
// delivered it: Ack after that session has ended fails and touches nothing.
type Batch interface {
	// Deliveries are in the order of delivery. There is at least one.
	Deliveries() []Delivery
	// Ack confirms all of them at once. An error means that the broker will
	// deliver them again.
	Ack() error
}

// Source is one session with the broker's queue.
type Source interface {
	// Receive waits for at least one delivery and returns all that have arrived,
	// at most max. An error ends the session: Close it and open another.
	Receive(ctx context.Context, max int) (Batch, error)
	// Close ends the session. Deliveries that were not acknowledged come again.
	Close() error
}
