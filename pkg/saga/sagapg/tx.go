package sagapg

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pgxTx is a caller's transaction of pgx.
type pgxTx struct{ tx pgx.Tx }

func (t pgxTx) row(ctx context.Context, query string, args []any, into ...any) (bool, error) {
	err := t.tx.QueryRow(ctx, query, args...).Scan(into...)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (t pgxTx) driver() any { return t.tx }

// sqlTx is a caller's transaction of database/sql.
type sqlTx struct{ tx *sql.Tx }

func (t sqlTx) row(ctx context.Context, query string, args []any, into ...any) (bool, error) {
	err := t.tx.QueryRowContext(ctx, query, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (t sqlTx) driver() any { return t.tx }

// Begin begins a transaction of nothing but this package's statements. It does not depend
// on the defaults of the role or the session: it is read committed and may write, and
// rows that row security hides are an error, as everywhere.
func Begin(ctx context.Context, db *pgxpool.Pool) (pgx.Tx, error) {
	return db.BeginTx(ctx, pgx.TxOptions{
		BeginQuery: `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL row_security = off`,
	})
}
