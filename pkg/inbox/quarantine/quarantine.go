// Package quarantine is what can be done with the messages that consumers have set aside in
// inbox_quarantine: look at them, put them back, give them up.
//
// # States
//
//	held       it is tried again by itself: put back into its queue at its time
//	dead       it is not tried again by itself: it waits until somebody says what to do
//	retried    it was put back into the queue from which it came, as it was
//	discarded  it was given up
//
// What was retried or discarded keeps who did it, when and why. A message that fails again
// after it was put back is set aside again, in the same row: since when and how often it was
// tried is kept.
//
// # Tries
//
// A verdict is reversible: a table is mended, a release brings what was missing, an event
// overtook the row that it is about. So a message is put back into its queue after 1 min,
// 2, 4 … 60 min, until 24 h after it was set aside first. Then it is dead. By reason:
//
//	failing, unexpected, unknown, other,  tried again
//	dead-letter
//	undecodable                           dead at once: its bytes stay as they are
//	any, of a message without a message   dead at once: when it came again it could not be
//	id                                    recognised, and its tries would never end
//
// The consumer that has set a message aside tries it again, see inbox.Config; one of its
// instances at a time takes a row. It puts back at most a hundred every five seconds, and none while its
// circuit is open or the broker is away; a day without that is not held against a message
// before it has had its last try. The clock of the database counts. A time that lies further
// ahead than an hour, because that clock was set back, is due, and where the age says nothing
// the pauses count, which add up to a day. What the broker does not take stays held, and has
// had its try.
//
// # Retention
//
// The consumer deletes what was retried or discarded after 7 days, and what is dead
// 30 days after it was set aside last, a few hundred rows at a time: see [Retention].
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

	sagasql "go.example/saga/sql"
)

// ErrNone: there is no message of that id.
var ErrNone = errors.New("no message of this id was set aside")

// State is where a message stands.
type State string

// The states.
const (
	Held      State = "held"
	Dead      State = "dead"
	Retried   State = "retried"
	Discarded State = "discarded"
)

// States are all of them.
var States = []State{Held, Dead, Retried, Discarded}

// Store is the quarantine of one database. It is safe for concurrent use.
type Store struct {
	DB     *pgxpool.Pool
	Schema string // empty means public
}

// Filter chooses messages: those that fit all of its fields. What is nil or zero leaves
// open, but States, where it means those that are held or dead.
type Filter struct {
	IDs       []int64
	States    []State
	Consumers []string
	Codes     []Code
	// OlderThan is for how long ago they were set aside first, by the database's clock.
	OlderThan time.Duration
	// Saga is the id of the saga that they are about, as any of their headers or their
	// correlation id says.
	Saga string
}

func (f Filter) args(more ...any) []any {
	var saga *string
	if f.Saga != "" {
		saga = &f.Saga
	}
	return append([]any{f.IDs, f.States, f.Consumers, f.Codes, f.OlderThan.Seconds(), saga}, more...)
}

// Message is one that was set aside. Text that it has none of is empty.
type Message struct {
	ID             int64      `json:"id"`
	Consumer       string     `json:"consumer"`
	Queue          string     `json:"queue"`
	State          State      `json:"state"`
	Code           Code       `json:"code"`
	Reason         string     `json:"reason"`
	MessageID      string     `json:"messageId"`
	Type           string     `json:"type"`
	Deliveries     int64      `json:"deliveries"`
	Tries          int        `json:"tries"`
	RetryAt        *time.Time `json:"retryAt"` // of those that are held
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
	Consumer string    `json:"consumer"`
	State    State     `json:"state"`
	Code     Code      `json:"code"`
	Reason   string    `json:"reason"`
	Messages int64     `json:"messages"`
	Oldest   time.Time `json:"oldest"`
	Newest   time.Time `json:"newest"`
}

// Census is how many messages of a consumer are held, or dead, for one kind of reason.
type Census struct {
	Consumer      string
	State         State
	Code          Code
	Messages      int64
	OldestSeconds float64 // for how long the oldest has waited
}

// Census counts what is held or dead.
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

// Rights are what an operator's role needs; a consumer's needs DELETE as well.
var Rights = sagasql.Right{On: "inbox_quarantine", Privileges: "SELECT, UPDATE"}

// List returns the newest messages of the filter, at most limit.
func (s *Store) List(ctx context.Context, f Filter, limit int) ([]Message, error) {
	return list[Message](ctx, s, "list", f.args(limit))
}

// OfSaga returns what was set aside of one saga and is held, dead or discarded, at most limit
// of them, and how many there are: those that wait first, the newest first.
func (s *Store) OfSaga(ctx context.Context, id string, limit int) (messages []Message, total int64, err error) {
	type row struct {
		Message

		Total int64
	}
	found, err := list[row](ctx, s, "of_saga", []any{id, limit})
	messages = make([]Message, len(found))
	for i, r := range found {
		messages[i], total = r.Message, r.Total
	}
	return messages, total, err
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
