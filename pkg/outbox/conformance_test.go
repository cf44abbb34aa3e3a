package outbox_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	sagasql "go.example/saga/sql"
)

// A way is a way into the outbox: one message, in a transaction of its own.
type way func(ctx context.Context, m outbox.Message) error

func ways(t *testing.T, pool *pgxpool.Pool) map[string]way {
	db := open(t, pool)
	return map[string]way{
		"Append": func(ctx context.Context, m outbox.Message) error {
			return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return outbox.Append(ctx, tx, m) })
		},
		"AppendSQL": func(ctx context.Context, m outbox.Message) error {
			return unitOfWork{db}.do(ctx, func(tx *sql.Tx) error { return outbox.AppendSQL(ctx, tx, m) })
		},
		"outbox_append": func(ctx context.Context, m outbox.Message) error { return callFunction(ctx, pool, m) },
	}
}

// callFunction is what a writer in another language does: text in, text out.
func callFunction(ctx context.Context, pool *pgxpool.Pool, m outbox.Message) error {
	var headers, id *string
	if m.Headers != nil {
		text, err := json.Marshal(m.Headers)
		if err != nil {
			return err
		}
		headers = new(string)
		*headers = string(text)
		for name := range m.Headers { // json.Marshal would mend it
			if !json.Valid([]byte(`"x"`)) || strings.ToValidUTF8(name, "") != name {
				*headers = `{"` + name + `":"v"}`
			}
		}
	}
	if m.ID != uuid.Nil {
		text := m.ID.String()
		id = &text
	}
	var payload *string
	if m.Payload != nil {
		text := string(m.Payload)
		payload = &text
	}
	_, err := pool.Exec(ctx, `
		SELECT public.outbox_append(
			aggregate_type => $1, aggregate_id => $2, type => $3, exchange => $4, routing_key => $5,
			payload => $6::text::jsonb, headers => $7::text::jsonb, event_id => $8::text::uuid,
			correlation_id => $9, reply_to => $10, content_type => $11)`,
		m.AggregateType, m.AggregateID, m.Type, m.Exchange, m.RoutingKey, payload, headers, id,
		m.CorrelationID, m.ReplyTo, m.ContentType)
	return err
}

func TestEveryWayGivesTheSameVerdict(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	for name, write := range ways(t, pool) {
		for _, c := range verdicts {
			err := write(t.Context(), message(c.change))
			if c.field == "" {
				require.NoError(t, err, "%s: %s", name, c.name)
				continue
			}
			require.Error(t, err, "%s: %s", name, c.name)
			requireField(t, c.field, err, "%s: %s: %v", name, c.name, err)
		}
	}
	requireSameRows(t, pool)
}

// requireField: Go names the field in a ValidationError, the function in the error's
// column. What is no jsonb or no text at all is refused before the function runs.
func requireField(t *testing.T, field string, err error, message string, args ...any) {
	t.Helper()
	var invalid *outbox.ValidationError
	var pgErr *pgconn.PgError
	switch {
	case require.ObjectsAreEqual != nil && asValidation(err, &invalid):
		require.Equal(t, field, invalid.Field, append([]any{message}, args...)...)
	default:
		require.ErrorAs(t, err, &pgErr, append([]any{message}, args...)...)
		if pgErr.Code == "22023" {
			require.Equal(t, field, pgErr.ColumnName, append([]any{message}, args...)...)
			require.Contains(t, pgErr.Message, field)
		} else {
			require.Contains(t, []string{"22021", "22P02", "22P05", "22003"}, pgErr.Code, append([]any{message}, args...)...)
		}
	}
}
