package outboxpg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNotParked: no message of that id is set aside.
var ErrNotParked = errors.New("the message is not parked")

// ParkedFilter chooses parked messages: those that fit all of its fields. A field that
// is nil or zero leaves open, except that messages that were [Discarded] are chosen
// only where States names that state.
type ParkedFilter struct {
	IDs     []int64
	States  []ParkState
	Reasons []string
	// Pointers, because an exchange may be the empty one.
	AggregateID, Type, Exchange, RoutingKey *string
	// OlderThan is for how long they have been parked at least, by the database's clock.
	OlderThan time.Duration
}

func (f ParkedFilter) args() []any {
	return []any{f.IDs, f.States, f.Reasons, f.AggregateID, f.Type, f.Exchange, f.RoutingKey, f.OlderThan.Seconds()}
}

// Parked is a message that is set aside. Text that the database has none of is empty.
type Parked struct {
	ID          int64      `json:"id"` // of its row in the outbox
	State       ParkState  `json:"state"`
	Reason      string     `json:"reason"`
	Error       string     `json:"error"`
	Attempts    int        `json:"attempts"` // that failed
	ParkedAt    time.Time  `json:"parkedAt"`
	TriedAt     *time.Time `json:"triedAt"`
	NextAt      *time.Time `json:"nextAt"`
	Note        string     `json:"note"`
	Type        string     `json:"type"`
	AggregateID string     `json:"aggregateId"`
	Exchange    string     `json:"exchange"`
	RoutingKey  string     `json:"routingKey"`
}

// ParkedDetail is everything that is known of a parked message.
type ParkedDetail struct {
	Parked
	EventID       string            `json:"eventId"`
	AggregateType string            `json:"aggregateType"`
	CorrelationID string            `json:"correlationId"`
	ReplyTo       string            `json:"replyTo"`
	ContentType   string            `json:"contentType"`
	Headers       map[string]string `json:"headers"`
	CreatedAt     *time.Time        `json:"createdAt"` // nil when its row has left the outbox
	DeliverAt     *time.Time        `json:"deliverAt"`
	PayloadSize   int               `json:"payloadSize"` // bytes
	Payload       []byte            `json:"-"`           // where it was asked for
	// WaitsFor is the first message of its aggregate that it is behind.
	WaitsFor *int64 `json:"waitsFor"`
	// Behind counts the messages of its aggregate that have to wait for it.
	Behind int64 `json:"behind"`
}

// MarshalJSON writes a payload of JSON as it is, and another one as base64.
func (d ParkedDetail) MarshalJSON() ([]byte, error) {
	type plain ParkedDetail
	shown := struct {
		plain
		Payload any `json:"payload,omitempty"`
	}{plain: plain(d)}
	if d.Payload != nil {
		shown.Payload = d.Payload
		if json.Valid(d.Payload) {
			shown.Payload = json.RawMessage(d.Payload)
		}
	}
	return json.Marshal(shown)
}

// ParkedCount says how many messages are parked in a state for a reason.
type ParkedCount struct {
	State          ParkState `json:"state"`
	Reason         string    `json:"reason"`
	Messages       int64     `json:"messages"`
	OldestParkedAt time.Time `json:"oldestParkedAt"`
}

// Parked returns the newest messages of the filter, at most limit.
func (l *Log) Parked(ctx context.Context, f ParkedFilter, limit int) ([]Parked, error) {
	return l.parkedBelow(ctx, f, math.MaxInt64, limit)
}

func (l *Log) parkedBelow(ctx context.Context, f ParkedFilter, id int64, limit int) ([]Parked, error) {
	found, err := list(ctx, l, l.query("parked_list"), append(f.args(), id, limit), pgx.RowToStructByName[Parked])
	if err != nil {
		return nil, fmt.Errorf("list the parked messages: %w", explain(err))
	}
	return found, nil
}

// CountParked counts the messages of the filter by state and reason.
func (l *Log) CountParked(ctx context.Context, f ParkedFilter) ([]ParkedCount, error) {
	counts, err := list(ctx, l, l.query("parked_count"), f.args(), pgx.RowToStructByName[ParkedCount])
	if err != nil {
		return nil, fmt.Errorf("count the parked messages: %w", explain(err))
	}
	return counts, nil
}

// ParkedDetail returns one parked message, with its payload or without. It fails with
// [ErrNotParked].
func (l *Log) ParkedDetail(ctx context.Context, id int64, payload bool) (ParkedDetail, error) {
	found, err := list(ctx, l, l.query("parked_show"), []any{id, payload}, pgx.RowToStructByName[ParkedDetail])
	if isOfRows(err) { // the row cannot be read, and is parked for that
		listed, err := l.Parked(ctx, ParkedFilter{IDs: []int64{id}, States: append(Discardable, Discarded)}, 1)
		if err != nil || len(listed) > 0 {
			return ParkedDetail{Parked: append(listed, Parked{})[0]}, err
		}
	}
	if err == nil && len(found) == 0 {
		err = ErrNotParked
	}
	if err != nil {
		return ParkedDetail{}, fmt.Errorf("look for message %d in outbox_parked: %w", id, explain(err))
	}
	return found[0], nil
}
