package orchestrator

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

const (
	// expireBatch bounds how many sagas a round looks at, and so deletes.
	expireBatch = 500
	// expirePause is between two rounds of a walk: others want the disk too. It allows
	// some thousands a second, more than are started.
	expirePause = 100 * time.Millisecond
	// expireRest is between two walks, and expireAgain after an error.
	expireRest  = time.Minute
	expireAgain = 10 * time.Second
	// expireTime bounds a round.
	expireTime = 10 * time.Second
)

// Expiry deletes the sagas that have ended and are old, with their history: see
// [sagapg.Store.Expire]. Any number of them may run on a database: what one has in hand
// the others pass over.
type Expiry struct {
	DB    *pgxpool.Pool
	Store *sagapg.Store
	// Retention is how long a saga is kept after its end; 0 is for ever.
	Retention time.Duration
	// Log hears of each round that deleted something, at debug, and of what is in the
	// way, once until something else is.
	Log *zap.Logger
	// Report, where set, is told how each round went. It must not block.
	Report func(error)

	deleted atomic.Int64
	fault   string // what was in the way last time
	// Tests make these small.
	batch       int
	pause, rest time.Duration
}

// Deleted is how many sagas this process has deleted.
func (x *Expiry) Deleted() int64 { return x.deleted.Load() }

// Run works until ctx is done and returns nil. Whatever fails is tried again later:
// sagas do without it for as long as the disk suffices.
func (x *Expiry) Run(ctx context.Context) error {
	if x.Retention <= 0 {
		x.report(nil)
		<-ctx.Done()
		return nil
	}
	var at saga.ID
	for ctx.Err() == nil {
		var err error
		at, err = x.round(ctx, at)
		if ctx.Err() != nil {
			break
		}
		x.report(err)
		pause := cmp.Or(x.rest, expireRest)
		switch {
		case err != nil:
			pause = cmp.Or(x.rest, expireAgain)
		case at != (saga.ID{}):
			pause = cmp.Or(x.pause, expirePause)
		}
		wait(ctx, pause)
	}
	return nil
}

// round goes on with the walk and returns where it stands then.
func (x *Expiry) round(ctx context.Context, at saga.ID) (saga.ID, error) {
	ctx, cancel := context.WithTimeout(ctx, expireTime)
	defer cancel()
	expired, err := x.expire(ctx, at)
	if err != nil {
		return at, x.Store.ExplainRights(ctx, x.DB, err, sagapg.RightsToExpire...)
	}
	if expired.Deleted > 0 {
		x.deleted.Add(int64(expired.Deleted))
		x.Log.Debug("finished sagas were deleted: older than the retention",
			zap.Int("sagas", expired.Deleted), zap.Duration("retention", x.Retention))
	}
	return expired.Last, nil
}

// expire is a round's transaction.
func (x *Expiry) expire(ctx context.Context, at saga.ID) (expired sagapg.Expired, err error) {
	tx, err := sagapg.Begin(ctx, x.DB)
	if err != nil {
		return expired, fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after the commit
	if expired, err = x.Store.Expire(ctx, tx, x.Retention, at, cmp.Or(x.batch, expireBatch)); err != nil {
		return expired, err
	}
	if err := tx.Commit(ctx); err != nil {
		return expired, fmt.Errorf("commit: %w", err)
	}
	return expired, nil
}

// report warns once of what is in the way.
func (x *Expiry) report(err error) {
	if x.Report != nil {
		x.Report(err)
	}
	var fault string
	if err != nil {
		fault = err.Error()
	}
	switch {
	case fault != "" && fault != x.fault:
		x.Log.Warn("finished sagas cannot be deleted, trying again", zap.Error(err), zap.Duration("pause", expireAgain))
	case fault == "" && x.fault != "":
		x.Log.Info("finished sagas are deleted again")
	}
	x.fault = fault
}
