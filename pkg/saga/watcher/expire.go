package watcher

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
)

const (
	expirePause = time.Minute
	expireSlice = 500
	expireTime  = 10 * time.Second
)

// RunRetention deletes what ended longer ago than the retention, until ctx ends. Several may
// run at a time.
func (w *Watcher) RunRetention(ctx context.Context) error {
	if w.Retention <= 0 {
		return nil
	}
	pause := time.NewTicker(expirePause)
	defer pause.Stop()
	for {
		if err := w.Expire(ctx); err != nil && ctx.Err() == nil {
			w.Log.Warn("old courses of choreographies cannot be deleted, trying again", zap.Error(err), zap.Duration("pause", expirePause))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
}

// Expire deletes all that ended longer ago than the retention, in short transactions. One of
// which an event is missing has not ended and stays.
func (w *Watcher) Expire(ctx context.Context) error {
	for gone := expireSlice; gone == expireSlice; {
		slice, cancel := context.WithTimeout(ctx, expireTime)
		err := pgx.BeginTxFunc(slice, w.DB, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}, func(tx pgx.Tx) error {
			return tx.QueryRow(slice, w.expire, w.Retention.Microseconds(), expireSlice).Scan(&gone)
		})
		cancel()
		if err != nil {
			return fmt.Errorf("delete what ended more than %s ago (safe to retry): %w", w.Retention, err)
		}
	}
	return nil
}
