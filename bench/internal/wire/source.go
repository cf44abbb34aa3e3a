// Package wire makes the messages that all contenders move, and checks that what
// arrives is the same whoever moved it.
//
// A message is a command as the orchestrator writes it: its headers, correlation
// and reply address, and a JSON body of 300 bytes in the form in which PostgreSQL
// prints jsonb, so that it stays the same through any table.
package wire

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/google/uuid"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
)

// BodySize is the size of a message's body in bytes.
const BodySize = 300

// rowsPerKey is how many messages of one saga there are on average. They lie far
// apart, as those of many sagas that run at the same time do.
const rowsPerKey = 8

// seed makes every run move the same messages.
const seed = 20260101

const (
	sagaType    = "room-reservation"
	step        = "payment"
	operation   = "REQUEST"
	messageType = step + "." + operation
	contentType = "application/json"
)

// Source makes the messages for one queue. It is safe for concurrent use.
type Source struct {
	queue string
	keys  uint64
}

// NewSource is a source of rows messages for a queue on the default exchange.
func NewSource(queue string, rows int) Source {
	return Source{queue: queue, keys: uint64(max(1, rows/rowsPerKey))}
}

// Message is number n, the same at every call.
func (s Source) Message(n int) outbox.Message {
	chance := rand.New(rand.NewPCG(seed, uint64(n))) //nolint:gosec // must repeat itself
	saga := identity('s', chance.Uint64N(s.keys)).String()
	return outbox.Message{
		ID:            identity('m', uint64(n)),
		AggregateType: sagaType,
		AggregateID:   saga,
		Type:          messageType,
		RoutingKey:    s.queue,
		CorrelationID: saga,
		ReplyTo:       protocol.ReplyQueue("reservation"),
		ContentType:   contentType,
		Headers: map[string]string{
			protocol.HeaderSagaID:      saga,
			protocol.HeaderSagaType:    sagaType,
			protocol.HeaderSagaStep:    step,
			protocol.HeaderSagaOp:      operation,
			protocol.HeaderSagaAttempt: "1",
			protocol.HeaderSagaKey:     saga + "/" + step + "/" + operation,
		},
		Payload: body(n),
	}
}

// identity is a UUID of version 8, which is free for everybody's own use.
func identity(of byte, n uint64) uuid.UUID {
	id := uuid.UUID{6: 0x80, 7: of, 8: 0x80}
	binary.BigEndian.PutUint32(id[:], seed)
	binary.BigEndian.PutUint32(id[12:], uint32(n))
	binary.BigEndian.PutUint32(id[8:], 0x80000000|uint32(n>>32))
	return id
}

// body is the JSON of message n, in jsonb's order of keys and with its blanks.
func body(n int) []byte {
	const form = `{"outputs": {}, "payload": {"note": %q, "roomId": %d, "endDate": "2026-12-05", "hotelId": 1, "startDate": "2026-12-01"}}`
	room := roomBase + n
	blank := len(fmt.Sprintf(form, "", room))
	return fmt.Appendf(nil, form, strings.Repeat("x", BodySize-blank), room)
}

// roomBase keeps the number's width the same for all messages of a run.
const roomBase = 1_000_000_000

// Number is the n of a message with this body.
func Number(text []byte) (int, error) {
	const key = `"roomId": `
	_, rest, _ := strings.Cut(string(text), key)
	var room int
	if _, err := fmt.Sscan(strings.SplitN(rest, ",", 2)[0], &room); err != nil {
		return 0, fmt.Errorf("the body has no roomId: %w", err)
	}
	return room - roomBase, nil
}
