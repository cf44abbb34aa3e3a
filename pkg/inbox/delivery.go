package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.example/saga/pkg/inbox/quarantine"
)

// Delivery is one message from the broker, reduced to what the protocol uses.
type Delivery struct {
	MessageID     string
	CorrelationID string
	Type          string
	ReplyTo       string
	ContentType   string
	// ContentEncoding says how the body was compressed, where it was.
	ContentEncoding string
	AppID           string
	Exchange        string
	RoutingKey      string
	// Queue is where it waited, and where it can be put back.
	Queue       string
	Redelivered bool
	// Timestamp is when its sender's transaction began, to the second; zero where it is not said.
	Timestamp time.Time
	// Headers holds the application headers whose values are strings; the
	// protocol uses no others.
	Headers map[string]string
	Body    []byte
	// Repeated says that another delivery that asks for the same work, see [Config.Work], waits
	// in this consumer, is in hand or is held. This one is to be answered, and not to be worked on.
	Repeated bool
	// Original is the whole message, for when it is set aside. Nil where the source
	// knows no more of it than stands above.
	Original Original

	// serial is the delivery's number in the consumer, in the order of arrival.
	serial uint64
}

// Original is a message as its publisher sent it.
type Original interface {
	// Encode returns all properties and headers with their types, in a form from which
	// they can be made again exactly. The same message gives the same bytes, however
	// often it was delivered. It is called for messages that are set aside alone.
	Encode() (properties, headers json.RawMessage, err error)
}

// Batch is what one receive brought. It belongs to the broker session that
// delivered it: Ack after that session has ended fails and touches nothing.
type Batch interface {
	// Deliveries are in the order of delivery. There is at least one.
	Deliveries() []Delivery
	// Ack confirms all of them at once. An error means that the broker will
	// deliver them again.
	Ack() error
	// AckOnly confirms the delivery at one place, where others are not done. Acks may come
	// from several goroutines, in any order, each delivery's once.
	AckOnly(place int) error
}

// ErrOwned says that a queue is another service's. A session on it can never be opened, and
// [Run] ends.
var ErrOwned = errors.New("the queue belongs to another service")

// Source is one session with the broker's queue.
type Source interface {
	// Receive waits for at least one delivery and returns all that have arrived,
	// at most max. An error ends the session: Close it and open another.
	Receive(ctx context.Context, max int) (Batch, error)
	// Close ends the session. Deliveries that were not acknowledged come again.
	Close() error
}

// Returning is a [Source] that can put messages back into the queue from which they came.
type Returning interface {
	// Return opens a way back beside the session. It may be called from any goroutine.
	Return(ctx context.Context) (quarantine.Session, error)
}
