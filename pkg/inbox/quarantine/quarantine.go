// Package quarantine is what can be done with the messages that consumers have set aside in
// inbox_quarantine: look at them, put them back, give them up.
//
// # States
//
// A message is held until somebody says otherwise. Retried, it was put back into the queue
// from which it came, with its properties, headers and body as they were. Discarded, it was
// given up. Both keep who did it, when and why. A retried message that fails again is held
// again, in the same row where it has a message id.
//
// # What a crash can do
//
// A message is published to its queue, the broker confirms, its row is marked and the
// transaction commits. A crash before the commit leaves the row held though the message may
// be in its queue: retried once more, it comes twice. The consumers are idempotent.
// A message is never marked that the broker has not confirmed.
//
// Rows are taken with FOR UPDATE SKIP LOCKED, so that two who retry at the same time put
// each message back once.
package quarantine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"go.example/saga/pkg/inbox"
	sagasql "go.example/saga/sql"
)

// ErrNone: there is no message of that id.
var ErrNone = errors.New("no message of this id was set aside")

// State is where a message stands.
type State string

// The states.
const (
	Held      State = "held"
	Retried   State = "retried"
	Discarded State = "discarded"
)

// States are all of them.
var States = []State{Held, Retried, Discarded}

// Codes are the kinds of reasons.
var Codes = []inbox.Code{inbox.Undecodable, inbox.UnknownSubject, inbox.Unexpected, inbox.Failing, inbox.Other}

// Store is the quarantine of one database. It is safe for concurrent use.
type Store struct {
	DB     *pgxpool.Pool
	Schema string // empty means public
}

// Filter chooses messages: those that fit all of its fields. What is nil or zero leaves
// open, but States, where it means those that are held.
type Filter struct {
	IDs       []int64
	States    []State
	Consumers []string
	Codes     []inbox.Code
	// OlderThan is for how long ago they were set aside first, by the database's clock.
	OlderThan time.Duration
}

func (f Filter) args(more ...any) []any {
	return append([]any{f.IDs, f.States, f.Consumers, f.Codes, f.OlderThan.Seconds()}, more...)
}

// Message is one that was set aside. Text that it has none of is empty.
type Message struct {
	ID             int64      `json:"id"`
	Consumer       string     `json:"consumer"`
	Queue          string     `json:"queue"`
	State          State      `json:"state"`
	Code           inbox.Code `json:"code"`
	Reason         string     `json:"reason"`
	MessageID      string     `json:"messageId"`
	Deliveries     int64      `json:"deliveries"`
	ReceivedAt     time.Time  `json:"receivedAt"`
	LastReceivedAt time.Time  `json:"lastReceivedAt"`
	HandledAt      *time.Time `json:"handledAt"`
	HandledBy      string     `json:"handledBy"`
	Note           string     `json:"note"`
}

// Detail is all that is kept of a message.
type Detail struct {
	Message
	Exchange   string          `json:"exchange"`
	RoutingKey string          `json:"routingKey"`
	Properties json.RawMessage `json:"properties"`
	Headers    json.RawMessage `json:"headers"`
	BodySize   int             `json:"bodySize"`
	Body       []byte          `json:"body,omitempty"` // where it was asked for
}

// Group is how many messages of a consumer there are for one reason.
type Group struct {
	Consumer string     `json:"consumer"`
	State    State      `json:"state"`
	Code     inbox.Code `json:"code"`
	Reason   string     `json:"reason"`
	Messages int64      `json:"messages"`
	Oldest   time.Time  `json:"oldest"`
	Newest   time.Time  `json:"newest"`
}

// Census is how many messages of a consumer wait for one kind of reason.
type Census struct {
	Consumer      string
	Code          inbox.Code
	Messages      int64
	OldestSeconds float64 // for how long the oldest has waited
}

// Census counts what is held.
func (s *Store) Census(ctx context.Context) ([]Census, error) {
	return list[Census](ctx, s, "census", nil)
}

func (s *Store) query(name string) string { return sagasql.Query(s.Schema, "inbox/"+name+".sql") }

func list[T any](ctx context.Context, s *Store, query string, args []any) ([]T, error) {
	rows, _ := s.DB.Query(ctx, s.query(query), args...)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	if err != nil {
		return nil, fmt.Errorf("look into inbox_quarantine (safe to retry): %w",
			sagasql.ExplainRights(ctx, s.DB, s.Schema, err, Rights))
	}
	return found, nil
}

// Rights are what the role needs for all of this.
var Rights = sagasql.Right{On: "inbox_quarantine", Privileges: "SELECT, UPDATE"}

// List returns the newest messages of the filter, at most limit.
func (s *Store) List(ctx context.Context, f Filter, limit int) ([]Message, error) {
	return list[Message](ctx, s, "list", f.args(limit))
}

// Groups returns the largest groups of the filter's messages, at most limit.
func (s *Store) Groups(ctx context.Context, f Filter, limit int) ([]Group, error) {
	return list[Group](ctx, s, "groups", f.args(limit))
}

// Count says how many messages fit.
func (s *Store) Count(ctx context.Context, f Filter) (n int64, err error) {
	err = s.DB.QueryRow(ctx, s.query("count"), f.args()...).Scan(&n)
	if err != nil {
		err = fmt.Errorf("count what is in inbox_quarantine (safe to retry): %w",
			sagasql.ExplainRights(ctx, s.DB, s.Schema, err, Rights))
	}
	return n, err
}

// Show returns one message, with its body or without. It fails with [ErrNone].
func (s *Store) Show(ctx context.Context, id int64, body bool) (Detail, error) {
	found, err := list[Detail](ctx, s, "show", []any{id, body})
	if err != nil {
		return Detail{}, err
	}
	if len(found) == 0 {
		return Detail{}, fmt.Errorf("message %d: %w", id, ErrNone)
	}
	return found[0], nil
}
