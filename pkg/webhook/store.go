package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	sagasql "go.example/saga/sql"
)

var (
	// ErrUnknown: there is no webhook of that name.
	ErrUnknown = errors.New("there is no webhook of that name")
	// ErrExists: there is one already.
	ErrExists = errors.New("there is a webhook of that name already")
	// ErrInvalid: the name or the URL is none.
	ErrInvalid = errors.New("a webhook has a name of letters, digits, _ and -, and a URL that begins with http:// or https://, without a user or a #")
)

// DB is what a [Store] needs of a pool, a connection or a transaction of pgx.
type DB interface {
	outbox.Tx
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Store holds the webhooks of one schema. It is safe for concurrent use as far as its DB is.
type Store struct {
	db     DB
	schema string
}

// In gives the webhooks of a schema, empty for public.
func In(db DB, schema string) *Store { return &Store{db, schema} }

// Webhook is one, without its keys.
type Webhook struct {
	Name        string     `json:"name"`
	URL         string     `json:"url"`
	CreatedAt   time.Time  `json:"createdAt"`
	DisabledAt  *time.Time `json:"disabledAt"`
	DisabledWhy *string    `json:"disabledWhy"`
	FormerUntil *time.Time `json:"formerKeyUntil"`
	// Waiting messages are called again by themselves, Dead ones are not.
	Waiting    int64      `json:"waiting"`
	Dead       int64      `json:"dead"`
	LastCall   *time.Time `json:"lastCall"`
	LastStatus *int       `json:"lastStatus"`
	LastError  *string    `json:"lastError"`
}

// Call is one that was made.
type Call struct {
	At        time.Time `json:"at"`
	Webhook   string    `json:"webhook"`
	EventID   uuid.UUID `json:"eventId"`
	Type      string    `json:"type"`
	Attempt   int       `json:"attempt"`
	TookMS    int       `json:"tookMs"`
	Status    *int      `json:"status"`
	Error     *string   `json:"error"`
	Delivered bool      `json:"delivered"`
}

// Add makes a webhook and returns its key, which nothing shows again.
func (s *Store) Add(ctx context.Context, name, url string) (key string, err error) {
	key = NewKey()
	_, err = s.db.Exec(ctx, s.query("add"), name, url, key)
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused) && refused.Code == "23505":
		return "", fmt.Errorf("add webhook %s: %w", name, ErrExists)
	case errors.As(err, &refused) && refused.Code == "23514":
		return "", fmt.Errorf("add webhook %q: %w", name, ErrInvalid)
	case err != nil:
		return "", fmt.Errorf("add webhook %s: %w", name, err)
	}
	return key, nil
}

// Rotate gives a webhook a new key, which is returned; the former one signs on for so long.
func (s *Store) Rotate(ctx context.Context, name string, former time.Duration) (key string, err error) {
	key = NewKey()
	return key, s.change(ctx, "rotate", name, key, former.Seconds())
}

// Disable calls a webhook no more; why is for people.
func (s *Store) Disable(ctx context.Context, name, why string) error {
	return s.change(ctx, "disable", name, why)
}

// Enable calls a webhook again; what is dead needs [Store.Retry].
func (s *Store) Enable(ctx context.Context, name string) error { return s.change(ctx, "enable", name) }

// Remove forgets a webhook.
func (s *Store) Remove(ctx context.Context, name string) error { return s.change(ctx, "remove", name) }

func (s *Store) change(ctx context.Context, verb, name string, args ...any) error {
	tag, err := s.db.Exec(ctx, s.query(verb), append([]any{name}, args...)...)
	if err != nil {
		return fmt.Errorf("%s webhook %s: %w", verb, name, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("%s webhook %s: %w", verb, name, ErrUnknown)
	}
	return nil
}

// List returns all webhooks.
func (s *Store) List(ctx context.Context) ([]Webhook, error) {
	return collect[Webhook](ctx, s, "list the webhooks", "list")
}

// Log returns the last calls of a webhook, or of all where the name is empty.
func (s *Store) Log(ctx context.Context, name string, limit int) ([]Call, error) {
	return collect[Call](ctx, s, "list the calls of webhooks", "log", name, limit)
}

func collect[T any](ctx context.Context, s *Store, what, query string, args ...any) ([]T, error) {
	rows, err := s.db.Query(ctx, s.query(query), args...)
	if err == nil {
		var all []T
		if all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[T]); err == nil {
			return all, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", what, err)
}

// Retry calls a webhook at once with all that it was not told, and returns how many messages
// that are.
func (s *Store) Retry(ctx context.Context, name, note string) (messages int64, err error) {
	if err := s.db.QueryRow(ctx, s.query("retry"), name, note).Scan(&messages); err != nil {
		return 0, fmt.Errorf("retry webhook %s: %w", name, err)
	}
	return messages, nil
}

// Test tells a webhook something that no saga said: a message of the type webhook.test.
func (s *Store) Test(ctx context.Context, name string, at time.Time) (uuid.UUID, error) {
	event := outbox.Message{
		ID: uuid.New(), AggregateType: "webhook", AggregateID: name, Type: "webhook.test",
		ContentType: "application/json", Payload: []byte("{}"),
	}
	m := protocol.WebhookMessage(event, name, at)
	if err := outbox.In(s.schema).Append(ctx, s.db, m); err != nil {
		return uuid.Nil, fmt.Errorf("test webhook %s: %w", name, err)
	}
	return m.ID, nil
}

func (s *Store) query(name string) string {
	return sagasql.Query(s.schema, "saga/webhook_"+name+".sql")
}
