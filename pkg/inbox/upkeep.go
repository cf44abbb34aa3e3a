package inbox

import (
	"context"
	"time"

	"go.uber.org/zap"

	"go.example/saga/pkg/inbox/quarantine"
)

// upkeepQuarantine tries again what this consumer has set aside, and deletes what nobody
// needs, until ctx ends. Work does not wait for it.
func (c *consumer) upkeepQuarantine(ctx context.Context) {
	store := &quarantine.Store{DB: c.DB, Schema: c.Schema}
	forget := time.Now()
	for ctx.Err() == nil {
		wait(ctx, c.upkeep)
		c.putBack(ctx, store)
		if now := time.Now(); !now.Before(forget) {
			c.forgetOld(ctx, store)
			c.forgetHandled(ctx)
			forget = now.Add(c.forget)
		}
	}
}

// putBack does nothing without a session, nor while the circuit is open: what it put into
// the queue would fail again.
func (c *consumer) putBack(ctx context.Context, store *quarantine.Store) {
	session := c.source.Load()
	if session == nil || c.judge.suspended() != nil {
		return
	}
	way, can := (*session).(Returning)
	if !can {
		return
	}
	result, err := store.PutBackDue(ctx, c.Name, way.Return)
	if result.Retried > 0 {
		c.Log.Info("messages that were set aside are tried again", zap.Int64("messages", result.Retried))
	}
	for _, r := range result.Refused {
		c.Log.Warn("a message that was set aside cannot be put back", zap.Int64("id", r.ID), zap.String("why", r.Why))
	}
	if err != nil && ctx.Err() == nil {
		c.Log.Warn("what was set aside waits: it cannot be put back", zap.Error(err))
	}
}

func (c *consumer) forgetOld(ctx context.Context, store *quarantine.Store) {
	gone, err := store.Forget(ctx, c.Name, c.Retention)
	if gone.Dead > 0 {
		c.Log.Warn("messages that were set aside and that nobody has handled are deleted", zap.Int64("messages", gone.Dead))
	}
	if gone.Handled > 0 {
		c.Log.Info("handled messages are deleted from the quarantine", zap.Int64("messages", gone.Handled))
	}
	if err != nil && ctx.Err() == nil {
		c.Log.Warn("old messages stay in the quarantine", zap.Error(err))
	}
}
