package sagapg_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

const (
	over       = `ended_at = now(), current_step = NULL, waiting = '{}', wake_at = NULL, look_at = NULL`
	completed  = `status = 'COMPLETED', ` + over
	aborted    = `status = 'ABORTED', failure = '{}', ` + over
	killed     = `status = 'KILLED', ` + over
	insertSaga = `INSERT INTO saga (id, type, definition_version, status, step_status, payload, version, started_at, updated_at, ended_at, business_key) `
	insertHist = `INSERT INTO saga_history (saga_id, seq, at, kind, disposition, from_status, to_status, detail) `
)

// violations breaks every constraint of the saga tables once, and every invariant that
// a trigger holds in a constraint's place. $1 is the id of a saga that waits for
// room-booking; the other one has ended.
var violations = map[string]string{
	"saga_pkey":                       insertSaga + `SELECT id, type, 1, 'COMPLETED', '{}', '{}', 1, now(), now(), now(), 'K-2' FROM saga WHERE id = $1`,
	"saga_business_key_unique":        insertSaga + `SELECT gen_random_uuid(), type, 1, 'COMPLETED', '{}', '{}', 1, now(), now(), now(), business_key FROM saga WHERE id = $1`,
	"saga_definition_stored":          `UPDATE saga SET definition_version = 7 WHERE id = $1`,
	"saga_status_known":               `UPDATE saga SET status = 'DONE', wake_at = NULL WHERE id = $1`,
	"saga_version_positive":           `UPDATE saga SET version = 0 WHERE id = $1`,
	"saga_business_key_fits":          `UPDATE saga SET business_key = '' WHERE id = $1`,
	"saga_terminal_has_ended":         `UPDATE saga SET status = 'KILLED', wake_at = NULL WHERE id = $1`,
	"saga_terminal_waits_for_nothing": `UPDATE saga SET ` + killed + `, signals = '{}' WHERE id = $1`,
	"saga_terminal_is_not_looked_at":  `UPDATE saga SET look_at = NULL WHERE id = $1`,
	"saga_running_waits":              `UPDATE saga SET waiting = '{}', current_step = NULL WHERE id = $1`,
	"saga_current_step_waits":         `UPDATE saga SET current_step = NULL WHERE id = $1`,
	"saga_running_is_timed":           `UPDATE saga SET wake_at = NULL WHERE id = $1`,
	"saga_looked_at_in_time":          `UPDATE saga SET look_at = wake_at + interval '1 second' WHERE id = $1`,
	"saga_paused_is_running":          `UPDATE saga SET paused = true, status = 'PARKED', park_reason = 'x', wake_at = NULL WHERE id = $1`,
	"saga_parked_has_reason":          `UPDATE saga SET status = 'PARKED', wake_at = NULL WHERE id = $1`,
	"saga_abort_has_failure":          `UPDATE saga SET status = 'ABORTING' WHERE id = $1`,
	"saga_forward_has_no_failure":     `UPDATE saga SET failure = '{}' WHERE id = $1`,
	"saga_deadline_goes_forward":      `UPDATE saga SET ` + killed + `, deadline = now() WHERE id = $1`,
	"saga_payload_is_object":          `UPDATE saga SET payload = '[]' WHERE id = $1`,
	"saga_outputs_is_object":          `UPDATE saga SET outputs = '1' WHERE id = $1`,
	"saga_signals_is_object":          `UPDATE saga SET signals = '[]' WHERE id = $1`,
	"saga_failure_is_object":          `UPDATE saga SET status = 'ABORTING', failure = '"no"' WHERE id = $1`,
	"saga_step_status_known":          `UPDATE saga SET step_status = '{"room-booking": "DONE"}' WHERE id = $1`,
	"saga_waiting_known":              `UPDATE saga SET waiting = '{"room-booking": {"operation": "UNDO"}}' WHERE id = $1`,
	"saga_waiting_known (no object)":  `UPDATE saga SET waiting = '["room-booking"]' WHERE id = $1`,
	"saga_waiting_known (no member)":  `UPDATE saga SET waiting = '{"room-booking": []}' WHERE id = $1`,
	"saga_waiting_known (retried)":    `UPDATE saga SET waiting = '{"room-booking": {"operation": "REQUEST", "attempt": 1, "retried": {"times": 2}}}' WHERE id = $1`,
	"saga_completed_in_effect":        `UPDATE saga SET ` + completed + `, step_status = '{"room-booking": "CONFIRMING"}' WHERE id = $1`,
	"saga_aborted_not_in_effect":      `UPDATE saga SET ` + aborted + `, step_status = '{"room-booking": "SKIPPED"}' WHERE id = $1`,

	"saga_history_pkey":                   insertHist + `SELECT id, 1, now(), 'start', 'advanced', NULL, 'STARTED', '' FROM saga WHERE id = $1`,
	"saga_history_seq_positive":           insertHist + `SELECT id, 0, now(), 'timer', 'late', 'STARTED', 'STARTED', '' FROM saga WHERE id = $1`,
	"saga_history_starts_once":            insertHist + `SELECT id, 2, now(), 'start', 'late', NULL, 'STARTED', '' FROM saga WHERE id = $1`,
	"saga_history_kind_known":             insertHist + `SELECT id, 2, now(), 'nap', 'late', 'STARTED', 'STARTED', '' FROM saga WHERE id = $1`,
	"saga_history_disposition_known":      insertHist + `SELECT id, 2, now(), 'timer', 'lost', 'STARTED', 'STARTED', '' FROM saga WHERE id = $1`,
	"saga_history_to_status_known":        insertHist + `SELECT id, 2, now(), 'timer', 'late', 'STARTED', 'DONE', '' FROM saga WHERE id = $1`,
	"saga_history_from_status_known":      insertHist + `SELECT id, 2, now(), 'timer', 'late', 'DONE', 'STARTED', '' FROM saga WHERE id = $1`,
	"saga_history_terminal_absorbing":     insertHist + `SELECT id, 2, now(), 'reply', 'late', 'ABORTED', 'STARTED', '' FROM saga WHERE id = $1`,
	"saga_history_action_has_operator":    insertHist + `SELECT id, 2, now(), 'skip', 'advanced', 'STARTED', 'STARTED', '' FROM saga WHERE id = $1`,
	"saga_history_operation_known":        historyWith(`operation`, `'UNDO'`),
	"saga_history_outcome_known":          historyWith(`outcome`, `'maybe'`),
	"saga_history_problem_is_object":      historyWith(`problem`, `'"no"'`),
	"saga_history_sent_known":             historyWith(`sent`, `ARRAY['REQUEST hotel #1', 'UNDO payment #1']`),
	"saga_history_sent_known (attempt)":   historyWith(`sent`, `ARRAY['REQUEST payment #0']`),
	"saga_history_sent_known (null)":      historyWith(`sent`, `ARRAY['REQUEST hotel #1', NULL]`),
	"saga_definition_pkey":                definitionWith(`'room-reservation', 1, spec, hash`),
	"saga_definition_name_given":          definitionWith(`'', 1, spec, hash`),
	"saga_definition_version_positive":    definitionWith(`'other', 0, spec, hash`),
	"saga_definition_spec_has_steps":      definitionWith(`'other', 1, '{}', hash`),
	"saga_definition_hash_is_sha256":      definitionWith(`'other', 1, spec, 'abc'`),
	"saga_terminal_absorbing":             `UPDATE saga SET status = 'COMPLETED' WHERE id <> $1`,
	"saga_definition_immutable (trigger)": `UPDATE saga_definition SET spec = spec WHERE name = (SELECT type FROM saga WHERE id = $1)`,
	"saga_history_append_only (trigger)":  `UPDATE saga_history SET detail = 'x' WHERE saga_id = $1`,
}

func historyWith(columns, values string) string {
	return fmt.Sprintf(`INSERT INTO saga_history (saga_id, seq, at, kind, disposition, from_status, to_status, detail, %s)
		SELECT id, 2, now(), 'timer', 'late', 'STARTED', 'STARTED', '', %s FROM saga WHERE id = $1`, columns, values)
}

func definitionWith(values string) string {
	return `INSERT INTO saga_definition (name, version, spec, hash) SELECT ` + values + ` FROM saga_definition, saga WHERE saga.id = $1`
}

func TestEveryConstraintRefuses(t *testing.T) {
	b := setup(t)
	id := b.start("K-1")
	b.step(b.start("K-9"), saga.Action{Verb: saga.Kill, Who: "ada", Reason: "test"})
	for name, statement := range violations {
		var want string
		_, _ = fmt.Sscan(name, &want)
		_, err := b.db.Exec(b.ctx, statement, uuid.UUID(id))
		if got := violated(err); got != want {
			t.Errorf("%s: refused by %q, want %q: %v", statement, got, want, err)
		}
	}
	// No constraint is forgotten here.
	rows, err := b.db.Query(b.ctx, `SELECT conname::text FROM pg_constraint
		WHERE conrelid IN ('saga'::regclass, 'saga_history'::regclass, 'saga_definition'::regclass)
			AND contype <> 'n'`) // from PostgreSQL 18 on, NOT NULL is one
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	for _, name := range append(names, b.checked("saga", "saga_history")...) {
		require.Contains(t, violations, name)
	}
}

// checked are the names of the invariants that triggers of the tables check.
func (b *bench) checked(tables ...string) (names []string) {
	b.Helper()
	for _, table := range tables {
		rows, err := b.db.Query(b.ctx, `SELECT m[1] FROM pg_proc, regexp_matches(prosrc, $$THEN '(\w+)'$$, 'g') AS m
			WHERE oid = ($1 || '_check')::regproc`, table)
		require.NoError(b, err)
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(b, err)
		require.Greater(b, len(found), 10, table)
		names = append(names, found...)
	}
	return names
}

// Whoever handles what PostgreSQL says of a CHECK need not know that a trigger said it.
func TestWhatIsCheckedIsReportedAsByPostgreSQL(t *testing.T) {
	b := setup(t)
	id := b.start("K-1")
	for _, name := range b.checked("saga", "saga_history") {
		if name == "saga_terminal_absorbing" {
			continue // was a trigger's always, with words of its own
		}
		_, err := b.db.Exec(b.ctx, violations[name], uuid.UUID(id))
		var pg *pgconn.PgError
		require.ErrorAs(t, err, &pg, name)
		require.Equal(t, "23514", pg.Code, name)
		require.Equal(t, name, pg.ConstraintName)
		require.Equal(t, "public", pg.SchemaName, name)
		require.Equal(t, fmt.Sprintf("new row for relation %q violates check constraint %q", pg.TableName, name), pg.Message)
		require.True(t, strings.HasPrefix(name, pg.TableName), name)
	}
}

func violated(err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return ""
	}
	return pg.ConstraintName
}

// The end of a saga is final, whoever asks.
func TestTerminalIsAbsorbing(t *testing.T) {
	for name, end := range map[string]string{"COMPLETED": completed, "ABORTED": aborted, "KILLED": killed} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			id := b.start("K-1")
			b.exec(`UPDATE saga SET step_status = '{}', `+end+` WHERE id = $1`, uuid.UUID(id))
			b.exec(`UPDATE saga SET version = version + 1 WHERE id = $1`, uuid.UUID(id))
			for _, other := range []string{
				`status = 'STARTED', ended_at = NULL, failure = NULL, current_step = 'payment', waiting = '{"payment": {}}', wake_at = now(), look_at = now()`,
				`status = CASE status WHEN 'ABORTED' THEN 'COMPLETED' ELSE 'ABORTED' END, step_status = '{}'`,
			} {
				_, err := b.db.Exec(b.ctx, `UPDATE saga SET `+other+` WHERE id = $1`, uuid.UUID(id))
				require.Equal(t, "saga_terminal_absorbing", violated(err), "%v", err)
			}
		})
	}
}

func TestEverythingHasAComment(t *testing.T) {
	b := setup(t)
	require.Zero(t, b.count(`SELECT count(*) FROM pg_class c
		LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relname LIKE 'saga%' AND c.relname <> 'saga_migration' AND c.relkind IN ('r', 'v')
		  AND (obj_description(c.oid) IS NULL OR col_description(c.oid, a.attnum) IS NULL)`))
}

// The index serves the queries that it is made for: none reads what has ended.
func TestSweepsUseTheirIndex(t *testing.T) {
	b := setup(t)
	// Mostly sagas that have ended.
	b.start("K-1")
	b.exec(insertSaga + `SELECT gen_random_uuid(), 'room-reservation', 1, 'COMPLETED', '{}', '{}', 1, now(), now(), now(), NULL
		FROM generate_series(1, 3000)`)
	b.exec(`ANALYZE saga`)
	for name, args := range map[string][]any{
		"due":               {10, []uuid.UUID{}},
		"postpone":          {10},
		"next_wake":         {[]uuid.UUID{}},
		"definition_in_use": nil,
		"definition_list":   nil,
	} {
		var plan string
		require.NoError(t, b.db.QueryRow(b.ctx, `EXPLAIN (FORMAT JSON) `+sagasql.Query("", "saga/"+name+".sql"), args...).Scan(&plan), name)
		require.Contains(t, plan, "saga_look", name)
		require.NotRegexp(t, `"Seq Scan",[^{}]*"Relation Name": "saga"`, plan, name)
	}
}
