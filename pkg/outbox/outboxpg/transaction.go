package outboxpg

import (
	"context"

	"github.com/jackc/pgx/v5"

	sagasql "go.example/saga/sql"
)

// transact runs the statements that queue adds as one transaction, in one round trip. It
// is read committed whatever the role's or the database's default, and rows that row
// security would hide are an error.
func (l *Log) transact(ctx context.Context, queue func(*pgx.Batch)) error {
	batch := &pgx.Batch{}
	batch.Queue(sagasql.Query("", "relay/begin.sql"))
	batch.Queue(sagasql.Query("", "relay/see_all.sql"))
	queue(batch)
	batch.Queue(sagasql.Query("", "relay/commit.sql"))
	return l.pool.SendBatch(ctx, batch).Close()
}

// call runs one statement as transact does, and scans the one row that it returns.
func (l *Log) call(ctx context.Context, statement string, args []any, into ...any) error {
	return l.transact(ctx, func(b *pgx.Batch) {
		b.Queue(statement, args...).QueryRow(func(row pgx.Row) error { return row.Scan(into...) })
	})
}

// list runs one statement as transact does, and scans the rows that it returns.
func list[T any](ctx context.Context, l *Log, statement string, args []any, scan pgx.RowToFunc[T]) (found []T, err error) {
	err = l.transact(ctx, func(b *pgx.Batch) {
		b.Queue(statement, args...).Query(func(rows pgx.Rows) (err error) {
			found, err = pgx.CollectRows(rows, scan)
			return err
		})
	})
	return found, err
}

// steps runs a transaction of several round trips, like transact.
func (l *Log) steps(ctx context.Context, do func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, l.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(sagasql.Query("", "relay/see_all.sql"))
		batch.Queue(sagasql.Query("", "relay/bounded.sql"))
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		return do(tx)
	})
}
