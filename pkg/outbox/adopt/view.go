package adopt

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	sagasql "go.example/saga/sql"
)

func (m Mapping) orderColumn() string { return cmp.Or(m.Columns.ID, addedID) }

// values are what stands in the files of sql/adopt for this table and mapping.
func (m Mapping) values(t table, schema string) map[string]string {
	c := m.Columns
	values := map[string]string{
		"schema":         pgx.Identifier{schemaName(schema)}.Sanitize(),
		"table":          pgx.Identifier{t.schema, t.name}.Sanitize(),
		"id":             quote(m.orderColumn()),
		"event_id":       value(cmp.Or(c.EventID, addedEventID), "uuid"),
		"aggregate_type": template("{" + c.AggregateType + "}"),
		"aggregate_id":   template("{" + c.AggregateID + "}"),
		"type":           template("{" + c.Type + "}"),
		"exchange":       template(m.Exchange),
		"routing_key":    template(m.RoutingKey),
		"correlation_id": value(c.CorrelationID, "text"),
		"reply_to":       value(c.ReplyTo, "text"),
		"content_type":   template(cmp.Or(m.ContentType, "application/json")),
		"headers":        value(c.Headers, "jsonb"),
		"deliver_at":     value(c.DeliverAt, "timestamptz"),
		"created_at":     value(cmp.Or(c.CreatedAt, addedCreatedAt), "timestamptz"),
	}
	values["payload"], values["payload_bytes"] = m.payload(t)
	values["comment"] = "NULL" // the definition, of which the comment holds the sum
	sum := sha256.Sum256([]byte(sagasql.Adopt(schema, "view.sql", values)))
	values["comment"] = literal(m.comment(t, sum[:]))
	return values
}

// payload leaves what is not jsonb as the bytes that were written: a cast to jsonb
// would change them, and fail on some.
func (m Mapping) payload(t table) (payload, bytes string) {
	name := m.Columns.Payload
	switch t.columns[name].Kind {
	case "jsonb":
		return value(name, "jsonb"), value("", "bytea")
	case "bytea":
		return value("", "jsonb"), value(name, "bytea")
	default:
		return value("", "jsonb"), "convert_to(" + value(name, "text") + ", 'UTF8')"
	}
}

// comment is what the view's comment says: it is how a later run recognises the view.
func (m Mapping) comment(t table, sum []byte) string {
	return fmt.Sprintf("%s: table %s as `relay adopt` made it, with mapping %x. Columns as in the table outbox.",
		m.order(), t, sum[:8])
}

// order begins the comment, because it may never change.
func (m Mapping) order() string { return "Outbox in the order of column " + quote(m.orderColumn()) }

func quote(column string) string { return pgx.Identifier{column}.Sanitize() }

// value is a column of the view's one table, or null where the mapping names none.
func value(column, kind string) string {
	if column == "" {
		return "NULL::" + kind
	}
	return "t." + quote(column) + "::" + kind
}

// template is the SQL for a text with columns in it; it is never null.
func template(text string) string {
	parts, _ := parse(text) // Validate has seen it
	if len(parts) == 0 {
		return "''::text"
	}
	sql := make([]string, len(parts))
	for i, p := range parts {
		sql[i] = literal(p.words) + "::text"
		if p.column != "" {
			sql[i] = "coalesce(" + value(p.column, "text") + ", '')"
		}
	}
	return strings.Join(sql, " || ")
}

// literal quotes as PostgreSQL does; a backslash needs the E form.
func literal(text string) string {
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if strings.Contains(text, `\`) {
		return " E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}
