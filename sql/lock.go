package sagasql

import (
	"context"
	"database/sql"
	"fmt"
)

// lock waits until this session alone may migrate the database.
func lock(ctx context.Context, conn *sql.Conn) error {
	err := retryWhileBusy(ctx, func() error {
		_, err := conn.ExecContext(ctx, Query("", "migration/lock.sql"))
		return err
	})
	if err != nil {
		return fmt.Errorf("wait for another migration: %w", err)
	}
	return nil
}

// ensureSchema makes the schema where it is missing.
func ensureSchema(ctx context.Context, conn *sql.Conn, schema string) error {
	var exists bool
	if err := conn.QueryRowContext(ctx, Query("", "migration/schema_exists.sql"), schema).Scan(&exists); err != nil {
		return fmt.Errorf("look for the schema: %w", err)
	}
	if exists {
		return nil
	}
	if _, err := conn.ExecContext(ctx, `CREATE SCHEMA "`+schema+`"`); err != nil {
		return fmt.Errorf("create the schema: %w", err)
	}
	return nil
}

// unlock lets the next one in. An error needs no care: the session ends soon after, and
// the lock with it.
func unlock(ctx context.Context, conn *sql.Conn) {
	_, _ = conn.ExecContext(context.WithoutCancel(ctx), Query("", "migration/unlock.sql"))
}
