package outbox

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	sagasql "go.example/saga/sql"
)

// Tx is the part of a [github.com/jackc/pgx/v5.Tx] that [Append] uses.
type Tx interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// Append inserts messages into public.outbox within the caller's transaction, all in
// one statement. They are published in the order of the arguments, once the
// transaction has committed. The relay is told by a NOTIFY on [Channel]; of many
// commits only some say so, because the relay looks again by itself after those, see
// [AnnounceEvery].
//
// A [*ValidationError] means that nothing was sent to the database. Any other error
// has ended the transaction: roll back, and repeat the whole transaction, not the call.
func Append(ctx context.Context, tx Tx, messages ...Message) error {
	return In("").Append(ctx, tx, messages...)
}

// AppendSQL is [Append] for database/sql and what is built on it. It works with any
// PostgreSQL driver, because every parameter is a string.
func AppendSQL(ctx context.Context, tx *sql.Tx, messages ...Message) error {
	return In("").AppendSQL(ctx, tx, messages...)
}

// Schema is where an outbox table lives. Make one with [In].
type Schema struct{ insert, insertOne, channel string }

// In returns the outbox of a schema; the empty one is public. It panics where the name
// is not one that sagasql.Up takes. A Schema is safe for concurrent use.
func In(schema string) Schema {
	return Schema{
		insert:    sagasql.Query(schema, "outbox/append.sql"),
		insertOne: sagasql.Query(schema, "outbox/append_one.sql"),
		channel:   Channel(schema),
	}
}

// Quiet is the same schema without the NOTIFY, which PostgreSQL takes in no transaction that is
// to be prepared for two-phase commit. The relay finds the messages when it looks the next
// time by itself, a fifth of a second later at most.
func (s Schema) Quiet() Schema {
	s.channel = ""
	return s
}

// Append is the function [Append] for this schema.
func (s Schema) Append(ctx context.Context, tx Tx, messages ...Message) error {
	return s.append(ctx, tx, messages, func(insert string, args []any) error {
		_, err := tx.Exec(ctx, insert, args...)
		return err
	})
}

// AppendSQL is the function [AppendSQL] for this schema.
func (s Schema) AppendSQL(ctx context.Context, tx *sql.Tx, messages ...Message) error {
	return s.append(ctx, tx, messages, func(insert string, args []any) error {
		_, err := tx.ExecContext(ctx, insert, args...)
		return err
	})
}

func (s Schema) append(ctx context.Context, tx any, messages []Message, exec func(insert string, args []any) error) error {
	if len(messages) == 0 {
		return nil
	}
	insert, parameters := s.insert, s.Parameters
	if len(messages) == 1 {
		insert, parameters = s.insertOne, s.parametersOfOne
	}
	args, err := parameters(ctx, tx, messages...)
	if err != nil {
		return err
	}
	if err := exec(insert, args); err != nil {
		return fmt.Errorf("append %d messages to the outbox (roll back and repeat the transaction): %w",
			len(messages), err)
	}
	return nil
}

// Parameters are those of the statement outbox/append.sql, for a statement that appends
// messages beside other work, as the start of a saga does. tx is the transaction, of any
// driver. Errors are those of [Append] before it asks the database.
func (s Schema) Parameters(ctx context.Context, tx any, messages ...Message) ([]any, error) {
	if err := validateAll(messages); err != nil {
		return nil, err
	}
	args, err := parameters(messages, traceHeaders(ctx))
	if err != nil {
		return nil, err
	}
	return append(args, s.announce(tx)), nil
}

// parametersOfOne are those of append_one.sql.
func (s Schema) parametersOfOne(ctx context.Context, tx any, messages ...Message) ([]any, error) {
	if err := validateAll(messages); err != nil {
		return nil, err
	}
	values, err := messages[0].columns(traceHeaders(ctx))
	if err != nil {
		return nil, &ValidationError{Field: "headers", Reason: err.Error()}
	}
	args := make([]any, 0, columnCount+1)
	for _, value := range values {
		args = append(args, value)
	}
	return append(args, s.announce(tx)), nil
}

const columnCount = 13

// columns are the texts that the statements take, in their order.
func (m Message) columns(trace map[string]string) (values [columnCount]string, err error) {
	headers, err := headersJSON(m.Headers, trace)
	if err != nil {
		return values, err
	}
	json, bytes := m.payloadTexts()
	return [columnCount]string{
		idText(m), m.AggregateType, m.AggregateID, m.Type, m.Exchange, m.RoutingKey,
		m.CorrelationID, m.ReplyTo, cmp.Or(m.ContentType, defaultContentType),
		headers, json, bytes, timeText(m.DeliverAt),
	}, nil
}

// parameters are those of append.sql but for the last: one array for each column.
func parameters(messages []Message, trace map[string]string) ([]any, error) {
	columns := make([]array, columnCount)
	for i, m := range messages {
		values, err := m.columns(trace)
		if err != nil {
			return nil, &ValidationError{Index: i, Field: "headers", Reason: err.Error()}
		}
		for c, value := range values {
			columns[c].add(value)
		}
	}
	args := make([]any, len(columns))
	for c := range columns {
		args[c] = columns[c].literal()
	}
	return args, nil
}
