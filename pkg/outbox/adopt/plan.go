package adopt

import (
	"fmt"
	"strings"

	sagasql "go.example/saga/sql"
)

// Plan is what an adoption does, or has done.
type Plan struct {
	// Notes are what to know before it is done, a sentence or two each.
	Notes []string
	// Steps are the statements, in order, each with a comment that says how long it
	// locks the table. None are left once the table is adopted.
	Steps []string
	// RelayTables says whether the relay's own tables are to be made after that.
	RelayTables bool
}

// Done says whether there is nothing to do.
func (p Plan) Done() bool { return len(p.Steps) == 0 && !p.RelayTables }

// planner writes the steps down.
type planner struct {
	plan   Plan
	schema string
	values map[string]string
}

func (p *planner) step(file string) {
	p.plan.Steps = append(p.plan.Steps, strings.TrimSpace(sagasql.Adopt(p.schema, file, p.values)))
}

func (p *planner) notef(format string, args ...any) {
	p.plan.Notes = append(p.plan.Notes, fmt.Sprintf(format, args...))
}

// plan is what is left to do for a table that has been checked.
func plan(t table, s standing, schema string, m Mapping) (Plan, error) {
	p := planner{schema: schema, values: m.values(t, schema)}
	if err := s.check(t, schemaName(schema), m); err != nil {
		return Plan{}, err
	}
	p.columns(t, m)
	if !t.columns[m.orderColumn()].Unique {
		p.step("id_key.sql")
	}
	if !t.columns[xactColumn].XactIndexed {
		p.step("xact_index.sql")
	}
	if !s.schemaExists {
		p.step("schema.sql")
	}
	if !t.stamped {
		p.step("stamp.sql")
	}
	if literal(s.comment) != p.values["comment"] {
		p.step("view.sql")
	}
	p.plan.RelayTables = !s.relayTables
	p.notes(t)
	return p.plan, nil
}

// columns adds to the table what the log needs and the mapping does not name.
func (p *planner) columns(t table, m Mapping) {
	for _, add := range []struct{ mapped, column, file string }{
		{m.Columns.ID, addedID, "add_id.sql"},
		{m.Columns.EventID, addedEventID, "add_event_id.sql"},
		{m.Columns.CreatedAt, addedCreatedAt, "add_created_at.sql"},
	} {
		if add.mapped == "" && !t.has(add.column) {
			p.step(add.file)
		}
	}
	if t.has(xactColumn) {
		return
	}
	if m.Existing == ExistingSkip {
		p.step("add_xact_skip.sql")
	} else {
		p.step("add_xact.sql")
	}
}

// notes says what the table's owner has to know. They concern the table as it is, so
// they are given only while something is to be done.
func (p *planner) notes(t table) {
	if p.plan.Done() {
		return
	}
	p.notef("Table %s takes %s. All steps are one transaction: once one has locked the table, it stays so until the end.",
		t, t.size)
	if t.deleted > 0 {
		p.notef("Rows are deleted from it (%d so far). One that is deleted before it is published is never published; "+
			"what inserts and deletes a row in one transaction, as Debezium's writers may, has to stop deleting.", t.deleted)
	}
	if len(t.triggers) > 0 {
		p.notef("It has triggers on INSERT (%s). See that none deletes the row or changes %s.",
			strings.Join(t.triggers, ", "), xactColumn)
	}
}

// check says why the schema cannot take the view.
func (s standing) check(t table, schema string, m Mapping) error {
	const view = "v"
	switch {
	case s.kind == "":
		return nil
	case s.kind != view:
		return fmt.Errorf("%s.outbox is there and not a view: set DATABASE_SCHEMA to a schema of the relay's own", schema)
	case s.table != t.oid:
		return fmt.Errorf("%s.outbox is a view over another table: set DATABASE_SCHEMA to another schema", schema)
	case !strings.HasPrefix(s.comment, m.order()+":"):
		return fmt.Errorf("%s.outbox is a view in another order than that of column %s: "+
			"the relay's position would mean other rows, so set DATABASE_SCHEMA to another schema",
			schema, quote(m.orderColumn()))
	}
	return nil
}
