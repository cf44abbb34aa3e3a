package outboxpg

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// A transaction of the relay's own says what it is: neither the role's defaults nor row
// security may change what its statements mean, see bounded.sql.
var (
	changing = pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}
	looking  = pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadOnly}
)

// in carries out do in a transaction of its own.
func (l *Log) in(ctx context.Context, what pgx.TxOptions, do func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, l.pool, what, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, l.query("bounded")); err != nil {
			return err
		}
		return do(tx)
	})
}

// change carries out a statement that writes and returns one row.
func (l *Log) change(ctx context.Context, query string, args []any, into ...any) error {
	return l.in(ctx, changing, func(tx pgx.Tx) error { return tx.QueryRow(ctx, l.query(query), args...).Scan(into...) })
}

// row reads one row.
func (l *Log) row(ctx context.Context, query string, args []any, into ...any) error {
	return l.in(ctx, looking, func(tx pgx.Tx) error { return tx.QueryRow(ctx, l.query(query), args...).Scan(into...) })
}

// rows reads any number of them.
func rows[T any](ctx context.Context, l *Log, query string, args []any, scan pgx.RowToFunc[T]) (found []T, err error) {
	err = l.in(ctx, looking, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, l.query(query), args...)
		if err == nil {
			found, err = pgx.CollectRows(rows, scan)
		}
		return err
	})
	return found, err
}
