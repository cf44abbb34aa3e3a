package participant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	sagasql "go.example/saga/sql"
)

const (
	// DefaultRemember is that of [Config].Remember: three times the longest wait that a saga's
	// definition may have.
	DefaultRemember = 90 * 24 * time.Hour
	// MinRemember is the least: a day.
	MinRemember = 24 * time.Hour
	// forgetPause is the time between two walks, and forgetSlice how many steps a transaction
	// forgets.
	forgetPause = 10 * time.Minute
	forgetSlice = 1000
	forgetTime  = 30 * time.Second
)

var errRemember = errors.New("participant: Config.Remember is less than a day; it may be 0 for the default, or negative for ever")

// forgetOld deletes the rows of old sagas from the barrier, until ctx ends. Work does not
// wait for it: it does nothing for as long as it has just worked.
func (p *Participant) forgetOld(ctx context.Context) {
	if p.cfg.Remember < 0 {
		return
	}
	for pause(ctx, forgetPause) {
		gone, err := p.forgetAll(ctx, p.cfg.Remember)
		if gone > 0 {
			p.log.Info("old sagas are forgotten", zap.Int64("steps", gone))
		}
		if err != nil && ctx.Err() == nil {
			p.log.Warn("old sagas stay in saga_barrier", zap.Error(err))
		}
	}
}

// forgetAll is one walk over the old rows.
func (p *Participant) forgetAll(ctx context.Context, remember time.Duration) (all int64, err error) {
	var after uuid.UUID
	for {
		begun := time.Now()
		gone, last, err := p.forgetSome(ctx, remember, after)
		all += gone
		if err != nil || last == nil {
			return all, err
		}
		after = *last
		if !pause(ctx, time.Since(begun)) {
			return all, nil
		}
	}
}

// forgetSome is one transaction. last is nil at the end of the walk.
func (p *Participant) forgetSome(ctx context.Context, remember time.Duration, after uuid.UUID) (gone int64, last *uuid.UUID, err error) {
	ctx, cancel := context.WithTimeout(ctx, forgetTime)
	defer cancel()
	err = pgx.BeginTxFunc(ctx, p.cfg.DB, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, p.barrier.forgetSQL, time.Now(), remember.Seconds(), after, forgetSlice).Scan(&gone, &last)
	})
	if err != nil {
		err = fmt.Errorf("forget sagas older than %s (safe to retry): %w", remember,
			sagasql.ExplainRights(ctx, p.cfg.DB, p.cfg.Schema, err, Rights...))
	}
	return gone, last, err
}

// pause says whether ctx lasts after it.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
