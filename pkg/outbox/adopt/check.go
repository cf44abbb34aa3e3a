package adopt

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// check says why the table cannot be adopted, whatever the mapping.
func (t table) check() error {
	switch {
	case t.kind == "p" || t.inherits:
		return fmt.Errorf("table %s has partitions or inherits: only a single table can be adopted", t)
	case t.kind != "r":
		return fmt.Errorf("%s is not a table", t)
	case t.persistence != "p":
		return fmt.Errorf("table %s does not survive a crash of the server: it is temporary or unlogged", t)
	case t.rowSecurity:
		return fmt.Errorf("row level security of table %s is forced on its owner: the relay would not see all rows", t)
	case !t.owned:
		return fmt.Errorf("table %s belongs to another role: adopt it as its owner", t)
	}
	return nil
}

// texts are the kinds of columns that make a text.
var texts = []string{"text", "number", "int8", "enum", "uuid"}

// checker collects what is wrong with the columns of a mapping.
type checker struct {
	table table
	errs  []error
}

func (c *checker) failf(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

// column is the column that a field of the mapping names, if it is there and of one
// of the kinds.
func (c *checker) column(field, name string, kinds ...string) (column, bool) {
	found, ok := c.table.columns[name]
	switch {
	case !ok:
		c.failf("%s: table %s has no column %q", field, c.table, name)
	case !slices.Contains(kinds, found.Kind):
		c.failf("%s: column %q is of type %s, want %s", field, name, found.Type, wording(kinds))
		ok = false
	}
	return found, ok
}

func wording(kinds []string) string {
	text := strings.Join(kinds, ", ")
	return strings.NewReplacer("int8", "bigint", "number", "a number", "enum", "an enum").Replace(text)
}

// given is column for a field that may be empty.
func (c *checker) given(field, name string, kinds ...string) (column, bool) {
	if name == "" {
		return column{}, false
	}
	return c.column(field, name, kinds...)
}

// filled is given for a column that may not hold nulls: the relay needs the value.
func (c *checker) filled(field, name string, kinds ...string) {
	if found, ok := c.given(field, name, kinds...); ok && !found.NotNull {
		c.failf("%s: column %q may hold nulls: declare it NOT NULL, or leave the field out", field, name)
	}
}

// order checks the column that is the order of insertion.
func (c *checker) order(field, name string) {
	found, ok := c.column(field, name, "int8")
	switch {
	case !ok:
	case !found.NotNull:
		c.failf("%s: column %q may hold nulls", field, name)
	case !found.Orderly:
		c.failf("%s: column %q is not the order of insertion: want a default drawn from a sequence "+
			"with INCREMENT 1, CACHE 1 and NO CYCLE. Leave the field out, and a column is added", field, name)
	}
}

func (c *checker) template(field, text string) {
	parts, _ := parse(text) // Validate has seen it
	for _, p := range parts {
		c.given(field, p.column, texts...)
	}
}

// checkColumns checks the mapping against the table's columns, those included that a
// former run or somebody by hand has added. The error lists everything.
func checkColumns(t table, m Mapping) error {
	c := checker{table: t}
	cols := m.Columns
	c.column("columns.aggregate_type", cols.AggregateType, texts...)
	c.column("columns.aggregate_id", cols.AggregateID, texts...)
	c.column("columns.type", cols.Type, texts...)
	c.given("columns.correlation_id", cols.CorrelationID, texts...)
	c.given("columns.reply_to", cols.ReplyTo, texts...)
	c.given("columns.headers", cols.Headers, "jsonb")
	c.given("columns.deliver_at", cols.DeliverAt, "timestamptz")
	payload, _ := c.column("columns.payload", cols.Payload, "jsonb", "json", "text", "bytea")
	if payload.Kind == "bytea" && m.ContentType == "" {
		c.failf("content_type is not set: column %q holds bytes, say what they are", cols.Payload)
	}
	c.filled("columns.event_id", cols.EventID, "uuid")
	c.filled("columns.created_at", cols.CreatedAt, "timestamptz")
	if cols.ID != "" || t.has(addedID) {
		c.order("columns.id", m.orderColumn())
	}
	if cols.EventID == "" && t.has(addedEventID) {
		c.filled("columns.event_id", addedEventID, "uuid")
	}
	if cols.CreatedAt == "" && t.has(addedCreatedAt) {
		c.filled("columns.created_at", addedCreatedAt, "timestamptz")
	}
	if xact, there := t.columns[xactColumn]; there &&
		(xact.Kind != "xid8" || !xact.NotNull || !strings.HasSuffix(xact.Default, "pg_current_xact_id()")) {
		c.failf("column %q is there, but not as `xid8 NOT NULL DEFAULT pg_current_xact_id()`", xactColumn)
	}
	for _, text := range m.templates() {
		c.template(text.field, text.value)
	}
	return errors.Join(c.errs...)
}

func (t table) has(column string) bool {
	_, there := t.columns[column]
	return there
}
