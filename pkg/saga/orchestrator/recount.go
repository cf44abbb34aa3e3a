package orchestrator

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"go.example/saga/pkg/saga/sagapg"
)

const (
	// recountedAtOnce bounds the sagas of one transaction.
	recountedAtOnce = 1000
	// recountShare is how much longer the loop does something else: a look at all sagas
	// that run may take no more than a hundredth of its time.
	recountShare = 100
)

// Recounted is how many sagas this process has found to be written in the future.
func (e *Engine) Recounted() int64 { return e.recounted.Load() }

// recount looks now and then for sagas that were written in the future.
func (s *sweeper) recount(ctx context.Context) error {
	begun := time.Now()
	if begun.Before(s.recountAt) {
		return nil
	}
	for {
		sagas, furthest, err := s.recountSome(ctx)
		if err != nil {
			return err
		}
		if sagas > 0 {
			s.recounted.Add(int64(sagas))
			s.Log.Warn("the database's clock has gone back: sagas were written in the future, their waits are counted from now",
				zap.Int("sagas", sagas), zap.Duration("furthest", furthest))
		}
		if sagas < recountedAtOnce {
			break
		}
	}
	s.recountAt = time.Now().Add(max(s.timing.recount, recountShare*time.Since(begun)))
	return nil
}

func (s *sweeper) recountSome(ctx context.Context) (sagas int, furthest time.Duration, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timing.batch)
	defer cancel()
	tx, err := sagapg.Begin(ctx, s.DB)
	if err != nil {
		return 0, 0, fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback(ctx) }() // does nothing after the commit
	if sagas, furthest, err = s.Store.Recount(ctx, tx, recountedAtOnce); err != nil || sagas == 0 {
		return 0, 0, err
	}
	if err := tx.Commit(ctx); err != nil {
		return 0, 0, fmt.Errorf("commit: %w", err)
	}
	return sagas, furthest, nil
}
