package sagasql

import (
	"context"
	"fmt"

	"github.com/pressly/goose/v3/database"
)

// book is the table saga_migration, seen by one line. It takes the place of goose's
// own version table, which has no comments, a time without zone, and no room for a
// schema whose name has to be quoted.
type book struct {
	schema string
	line   Line
}

// Version 0 is goose's mark for "the table exists". It stands for every line from the
// start and has no row.
const zeroVersion = 0

func (b book) query(name string) string { return Query(b.schema, "migration/"+name+".sql") }

// Tablename implements [database.Store].
func (b book) Tablename() string { return b.schema + ".saga_migration" }

// TableExists spares goose a failing query to find out.
func (b book) TableExists(ctx context.Context, db database.DBTxConn) (exists bool, err error) {
	err = db.QueryRowContext(ctx, b.query("exists")).Scan(&exists)
	return exists, err
}

// CreateVersionTable implements [database.Store].
func (b book) CreateVersionTable(ctx context.Context, db database.DBTxConn) error {
	text, err := files.ReadFile("migration/create.sql")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, withSchema(string(text), b.schema))
	return err
}

// Insert implements [database.Store].
func (b book) Insert(ctx context.Context, db database.DBTxConn, req database.InsertRequest) error {
	if req.Version == zeroVersion {
		return nil
	}
	_, err := db.ExecContext(ctx, b.query("insert"), string(b.line), req.Version)
	return err
}

// ListMigrations implements [database.Store]: newest first.
func (b book) ListMigrations(ctx context.Context, db database.DBTxConn) ([]*database.ListMigrationsResult, error) {
	rows, err := db.QueryContext(ctx, b.query("list"), string(b.line))
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	defer rows.Close()
	var applied []*database.ListMigrationsResult
	for rows.Next() {
		var version int64
		if err := rows.Scan(&version); err != nil {
			return nil, fmt.Errorf("list migrations: %w", err)
		}
		applied = append(applied, &database.ListMigrationsResult{Version: version, IsApplied: true})
	}
	return append(applied, &database.ListMigrationsResult{Version: zeroVersion, IsApplied: true}), rows.Err()
}

// GetLatestVersion implements [database.Store].
func (b book) GetLatestVersion(ctx context.Context, db database.DBTxConn) (int64, error) {
	applied, err := b.ListMigrations(ctx, db)
	if err != nil {
		return 0, err
	}
	return applied[0].Version, nil
}

// Delete implements [database.Store]; there is no way down.
func (b book) Delete(context.Context, database.DBTxConn, int64) error {
	return database.ErrNotImplemented
}

// GetMigration implements [database.Store]; [Up] never asks.
func (b book) GetMigration(context.Context, database.DBTxConn, int64) (*database.GetMigrationResult, error) {
	return nil, database.ErrNotImplemented
}
