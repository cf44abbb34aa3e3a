package adopt_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"go.example/saga/pkg/outbox/adopt"
)

func TestPrepareChangesNothing(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "jsonb")
	plan, err := adopt.Prepare(t.Context(), pool, schema, mapping())
	require.NoError(t, err)
	require.False(t, plan.Done())
	require.True(t, plan.RelayTables)
	again, err := adopt.Prepare(t.Context(), pool, schema, mapping())
	require.NoError(t, err)
	require.Equal(t, plan, again)
	require.Equal(t, plan, apply(t, pool, mapping()), "what was done is what was said")
}

func TestApplyTwiceFindsNothingToDo(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "jsonb")
	apply(t, pool, mapping())
	plan := apply(t, pool, mapping())
	require.Empty(t, plan)
	require.True(t, plan.Done())
}

func TestExistingRows(t *testing.T) {
	t.Parallel()
	for existing, want := range map[string][]string{
		adopt.ExistingPublish: {"Order a pending", "Order b pending", "Order c pending"},
		adopt.ExistingSkip:    {"Order a published", "Order b published", "Order c pending"},
	} {
		pool := debezium(t, "jsonb")
		write(t, pool, "a", "{}")
		write(t, pool, "b", "{}")
		m := mapping()
		m.Existing = existing
		apply(t, pool, m)
		write(t, pool, "c", "{}")
		require.Equal(t, want, texts(t, pool, `SELECT about || ' ' || state FROM "order".outbox_overview`))
		var pending int
		require.NoError(t, pool.QueryRow(t.Context(), `SELECT pending FROM "order".outbox_lag`).Scan(&pending))
		require.Equal(t, len(read(t, pool)), pending)
		if existing == adopt.ExistingSkip {
			require.Equal(t, 1, pending)
		}
	}
}

// What an operator sees and does with a log that came by a dump.
func TestRebase(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "jsonb")
	write(t, pool, "old", "{}")
	m := mapping()
	m.Existing = adopt.ExistingSkip
	apply(t, pool, m)
	write(t, pool, "new", "{}")
	restore(t, pool)
	var foreign bool
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT "order".outbox_is_foreign()`).Scan(&foreign))
	require.True(t, foreign)
	var pending int
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT "order".outbox_rebase()`).Scan(&pending))
	require.Equal(t, 1, pending)
	require.Equal(t, []string{"Order old published", "Order new pending"},
		texts(t, pool, `SELECT about || ' ' || state FROM "order".outbox_overview`))
}

func TestAnotherMappingReplacesTheView(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "jsonb")
	apply(t, pool, mapping())
	write(t, pool, "a", "{}")
	require.Equal(t, "events", read(t, pool)[0].Exchange) // and now the statement is prepared

	m := mapping()
	m.Exchange = "other"
	plan := apply(t, pool, m)
	require.Len(t, plan.Steps, 1)
	require.Contains(t, plan.Steps[0], "CREATE OR REPLACE VIEW")
	require.Equal(t, "other", read(t, pool)[0].Exchange)
	require.True(t, apply(t, pool, m).Done())
}

func TestPositionKeepsItsMeaning(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "jsonb")
	apply(t, pool, mapping())
	exec(t, pool, `ALTER TABLE shop.outboxevent ADD COLUMN number bigserial;
		CREATE TABLE shop.other (LIKE shop.outboxevent INCLUDING ALL)`)

	m := mapping()
	m.Columns.ID = "number"
	_, err := adopt.Prepare(t.Context(), pool, schema, m)
	require.ErrorContains(t, err, "in another order")
	m = mapping()
	m.Table = "shop.other"
	_, err = adopt.Prepare(t.Context(), pool, schema, m)
	require.ErrorContains(t, err, "over another table")
	_, err = adopt.Apply(t.Context(), pool, "second", m)
	require.NoError(t, err)

	// A new name is no other table.
	exec(t, pool, `ALTER TABLE shop.outboxevent RENAME TO renamed`)
	m.Table = "shop.renamed"
	require.Len(t, apply(t, pool, m).Steps, 1)
}

// A step that was taken by hand is not taken again.
func TestStepsByHand(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "jsonb")
	exec(t, pool, `
		CREATE SCHEMA "order";
		ALTER TABLE shop.outboxevent ADD COLUMN outbox_id bigserial,
			ADD COLUMN outbox_created_at timestamptz NOT NULL DEFAULT now(),
			ADD COLUMN outbox_xact xid8 NOT NULL DEFAULT pg_current_xact_id();
		CREATE UNIQUE INDEX ON shop.outboxevent (outbox_id);
		CREATE INDEX ON shop.outboxevent (outbox_xact)`)
	plan, err := adopt.Prepare(t.Context(), pool, schema, mapping())
	require.NoError(t, err)
	require.Len(t, plan.Steps, 3, "windows could not be measured in the index alone")
	exec(t, pool, `CREATE INDEX ON shop.outboxevent (outbox_xact, outbox_id)`)
	plan = apply(t, pool, mapping())
	require.Len(t, plan.Steps, 2, plan.Steps)
	require.Contains(t, plan.Steps[0], "CREATE TRIGGER outbox_stamped")
	require.Contains(t, plan.Steps[1], "CREATE OR REPLACE VIEW")
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "jsonb")
	var together errgroup.Group
	worked := make(chan int, 4)
	for range 4 {
		together.Go(func() error {
			plan, err := adopt.Apply(t.Context(), pool, schema, mapping())
			worked <- len(plan.Steps)
			return err
		})
	}
	require.NoError(t, together.Wait())
	close(worked)
	busy := 0
	for steps := range worked {
		busy += min(steps, 1)
	}
	require.Equal(t, 1, busy)
}

// A writer's open transaction delays the adoption, and the adoption does not delay
// other writers for longer than its own bound.
func TestApplyWaitsForABusyTable(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "jsonb")
	writer := begin(t, pool)
	_, err := writer.Exec(t.Context(), `LOCK TABLE shop.outboxevent IN ROW EXCLUSIVE MODE`)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		_, err := adopt.Apply(t.Context(), pool, schema, mapping())
		done <- err
	}()
	waiting := func() (waits bool) {
		require.NoError(t, pool.QueryRow(t.Context(), `
			SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'shop.outboxevent'::regclass)`).Scan(&waits))
		return waits
	}
	require.Eventually(t, waiting, 20*time.Second, 5*time.Millisecond)
	require.Eventually(t, func() bool { return !waiting() }, 20*time.Second, 5*time.Millisecond, "the wait is not bounded")
	write(t, pool, "meanwhile", "{}")
	require.NoError(t, writer.Commit(t.Context()))
	require.NoError(t, <-done)
	require.Len(t, read(t, pool), 1)
}

// Rows of one aggregate keep their order whatever their uuids are.
func TestOrderIsThatOfInsertion(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "jsonb")
	apply(t, pool, mapping())
	var want []string
	for i := range 50 {
		write(t, pool, "a", fmt.Sprint(i))
		want = append(want, fmt.Sprint(i))
	}
	var got []string
	for _, r := range read(t, pool) {
		got = append(got, string(r.Payload))
	}
	require.Equal(t, want, got)
}

// The statement in docs/adoption.md.
func TestOwnerDeletesWhatIsPublished(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "jsonb")
	write(t, pool, "old", "{}")
	m := mapping()
	m.Existing = adopt.ExistingSkip
	apply(t, pool, m)
	exec(t, pool, `UPDATE shop.outboxevent SET outbox_created_at = '2020-01-01'`)
	write(t, pool, "new", "{}")
	exec(t, pool, documented(t, "DELETE FROM"))
	require.Equal(t, []string{"new"}, texts(t, pool, `SELECT aggregateid FROM shop.outboxevent`))
}

// documented is a statement of docs/adoption.md, for the schema of these tests.
func documented(t *testing.T, begin string) string {
	t.Helper()
	page, err := os.ReadFile("../../../docs/adoption.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(page), begin)
	require.True(t, found)
	statement, _, found := strings.Cut(rest, ";")
	require.True(t, found)
	return strings.ReplaceAll(begin+statement, "relay.", `"order".`)
}

// The relay needs no right on the table, not even where it cures a restored dump.
func TestRelayNeedsNoRightOnTheTable(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "jsonb")
	apply(t, pool, mapping())
	write(t, pool, "a", "{}")
	restore(t, pool)
	tx := begin(t, pool) // rolled back, and the role with it
	for _, statement := range []string{
		`CREATE ROLE saga_test_adopt`,
		`GRANT USAGE ON SCHEMA "order" TO saga_test_adopt`,
		`GRANT SELECT ON "order".outbox TO saga_test_adopt`,
		`GRANT SELECT, INSERT, UPDATE, DELETE ON "order".outbox_position, "order".outbox_parked, "order".outbox_member TO saga_test_adopt`,
		`SET LOCAL ROLE saga_test_adopt`,
	} {
		_, err := tx.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	var pending int
	require.NoError(t, tx.QueryRow(t.Context(), `SELECT "order".outbox_rebase()`).Scan(&pending))
	require.Equal(t, 1, pending)
	require.NoError(t, tx.QueryRow(t.Context(), `SELECT count(*) FROM "order".outbox`).Scan(&pending))
	require.Equal(t, 1, pending)
	_, err := tx.Exec(t.Context(), `SELECT FROM shop.outboxevent`)
	require.ErrorContains(t, err, "permission denied")
}
