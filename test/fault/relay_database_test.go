package fault

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// The database goes read-only in the middle of the work, as some providers make it when
// the disk is full: the broker has confirmed messages and the position cannot be saved.
// When writing is allowed again the relay goes on, without anybody ending its sessions.
func TestDatabaseThatRefusesToSave(t *testing.T) {
	t.Parallel()
	const rows = 3000
	r := newRoad(t)
	got := r.watch()
	r.write(16, rows).done()
	p := r.relay()
	got.await(rows / 4)
	r.readOnly("ON")
	p.awaitTrouble("database-error")
	r.readOnly("OFF")
	p.awaitHealthy()
	got.requireAll()
	got.requireRepeated(r.tenures() - 1)
}

// readOnly sets what new sessions may do, and on ON ends the others.
func (r *road) readOnly(on string) {
	r.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, r.database)
	require.NoError(r, err)
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, `SET default_transaction_read_only = off`)
	require.NoError(r, err)
	name := pgx.Identifier{conn.Config().Database}.Sanitize()
	_, err = conn.Exec(ctx, `ALTER DATABASE `+name+` SET default_transaction_read_only = `+on)
	require.NoError(r, err)
	if on == "ON" {
		_, err = conn.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		require.NoError(r, err)
		r.db.Reset() // the test's own sessions have ended, too
	}
}
