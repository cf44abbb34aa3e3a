package adopt

import (
	"errors"
	"fmt"
	"strings"
)

// What becomes of the rows that a table holds when it is adopted.
const (
	ExistingPublish = "publish"
	ExistingSkip    = "skip"
)

// Mapping says how the rows of a table are messages. Names are as the catalogue has
// them, without quotes.
type Mapping struct {
	// Table is the table's name, behind its schema and a dot unless that is public.
	Table string `yaml:"table"`
	// Existing is ExistingPublish or ExistingSkip. It has no default, for a wrong
	// guess is either a flood or a loss.
	Existing string  `yaml:"existing"`
	Columns  Columns `yaml:"columns"`
	// Exchange and RoutingKey say where to: text in which {column} stands for the
	// column's value. An empty Exchange is the default exchange, where the routing
	// key names a queue.
	Exchange   string `yaml:"exchange"`
	RoutingKey string `yaml:"routing_key"`
	// ContentType is such a text too. The default is application/json; a payload
	// of type bytea has none.
	ContentType string `yaml:"content_type"`
}

// Columns are the table's names for the columns of an outbox.
type Columns struct {
	// ID is a bigint that a sequence fills; empty adds the column outbox_id.
	ID string `yaml:"id"`
	// EventID is a uuid; empty adds the column outbox_event_id.
	EventID string `yaml:"event_id"`
	// AggregateType, AggregateID, Type and Payload have to be given.
	AggregateType string `yaml:"aggregate_type"`
	AggregateID   string `yaml:"aggregate_id"`
	Type          string `yaml:"type"`
	Payload       string `yaml:"payload"` // jsonb, json, text or bytea
	// CorrelationID, ReplyTo, Headers (jsonb) and DeliverAt (timestamptz) are left
	// out where empty.
	CorrelationID string `yaml:"correlation_id"`
	ReplyTo       string `yaml:"reply_to"`
	Headers       string `yaml:"headers"`
	DeliverAt     string `yaml:"deliver_at"`
	// CreatedAt is a timestamptz; empty adds the column outbox_created_at.
	CreatedAt string `yaml:"created_at"`
}

// Columns that are added where the mapping names none.
const (
	addedID        = "outbox_id"
	addedEventID   = "outbox_event_id"
	addedCreatedAt = "outbox_created_at"
	xactColumn     = "outbox_xact"
)

// Validate checks what can be checked without the table. The error lists everything.
func (m Mapping) Validate() error {
	var errs []error
	for _, need := range []struct{ field, value string }{
		{"table", m.Table},
		{"columns.aggregate_type", m.Columns.AggregateType},
		{"columns.aggregate_id", m.Columns.AggregateID},
		{"columns.type", m.Columns.Type},
		{"columns.payload", m.Columns.Payload},
	} {
		if need.value == "" {
			errs = append(errs, fmt.Errorf("%s is not set", need.field))
		}
	}
	if m.Existing != ExistingPublish && m.Existing != ExistingSkip {
		errs = append(errs, fmt.Errorf("existing is %q, want %s or %s: what becomes of the rows that are there",
			m.Existing, ExistingPublish, ExistingSkip))
	}
	if m.Exchange == "" && m.RoutingKey == "" {
		errs = append(errs, errors.New("neither exchange nor routing_key is set"))
	}
	for _, text := range m.templates() {
		if _, err := parse(text.value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", text.field, err))
		}
	}
	return errors.Join(errs...)
}

type field struct{ field, value string }

func (m Mapping) templates() []field {
	return []field{{"exchange", m.Exchange}, {"routing_key", m.RoutingKey}, {"content_type", m.ContentType}}
}

// tableName is the table's schema and name.
func (m Mapping) tableName() (schema, table string) {
	if schema, table, found := strings.Cut(m.Table, "."); found {
		return schema, table
	}
	return "public", m.Table
}
