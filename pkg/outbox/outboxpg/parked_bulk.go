package outboxpg

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// batchRows is how many messages an operator's command changes in one transaction. The
// relay's own writes wait for it.
const batchRows = 2000

// Retryable are the states that [Log.RetryParked] changes: a message that waits behind
// another cannot go before that one, and one that is scheduled has not failed.
var Retryable = []ParkState{Retry, Calling, Dead, CallDead}

// Discardable are the states that [Log.DiscardParked] changes.
var Discardable = []ParkState{Scheduled, Retry, Calling, Waiting, Dead, CallDead}

// RetryParked makes the messages of the filter due now, those that are [Retryable], and
// starts the time anew in which they are retried. An empty note leaves the former one.
//
// It works in many short transactions, calls progress after each with the number of
// messages changed so far, and returns that number, with an error too: what was changed
// stays, and the call may be repeated for the rest. Messages that are parked while it
// runs are left alone, and those that left meanwhile are not counted.
func (l *Log) RetryParked(ctx context.Context, f ParkedFilter, note string, progress func(changed int64)) (int64, error) {
	f.States = among(f.States, Retryable)
	return l.changeParked(ctx, f, "parked_retry", note, progress)
}

// DiscardParked gives the messages of the filter up: they are never published, and what
// waits behind them goes on. note says why and may not be empty. Otherwise it is as
// [Log.RetryParked].
func (l *Log) DiscardParked(ctx context.Context, f ParkedFilter, note string, progress func(changed int64)) (int64, error) {
	f.States = among(f.States, Discardable)
	return l.changeParked(ctx, f, "parked_discard", note, progress)
}

// changeParked goes from the newest message to the oldest. So it reaches none that is
// parked meanwhile, and where many messages of an aggregate are discarded, none of
// them becomes the first between two batches and is published.
func (l *Log) changeParked(ctx context.Context, f ParkedFilter, query, note string, progress func(int64)) (int64, error) {
	var changed int64
	for below := int64(math.MaxInt64); ; {
		batch, err := l.parkedBelow(ctx, f, below, batchRows)
		if err != nil || len(batch) == 0 {
			return changed, err
		}
		ids := make([]int64, len(batch))
		for i, p := range batch {
			ids[i] = p.ID
		}
		var n int64
		if err := l.call(ctx, l.query(query), []any{ids, note}, &n); err != nil {
			return changed, fmt.Errorf("change parked messages %d to %d: %w", ids[len(ids)-1], ids[0], explain(err))
		}
		changed += n
		progress(changed)
		below = ids[len(ids)-1]
	}
}

// among are those of the possible states that are asked for; asking for none means all.
func among(asked, possible []ParkState) []ParkState {
	if asked == nil {
		return possible
	}
	return slices.DeleteFunc(slices.Clone(asked), func(s ParkState) bool { return !slices.Contains(possible, s) })
}
