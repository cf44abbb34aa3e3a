package outboxpg

import (
	"context"
	"fmt"
	"time"
)

// sliceIDs is how many ids of the log one statement looks at.
const sliceIDs = 5000

// ReplayBound is an end of a stretch of the log: an id, a time, or an age by the
// database's clock. The zero value is the log's own end.
type ReplayBound struct {
	ID   int64
	Time time.Time
	Age  time.Duration
}

// ReplayFilter chooses rows of the log: those that fit all of its fields; a nil or zero
// field leaves open. The bounds are part of the stretch. A row's time is the start of
// the transaction that inserted it.
type ReplayFilter struct {
	From, To                    ReplayBound
	AggregateID, Type, Exchange *string
	// Discarded chooses messages that an operator gave up, besides published ones.
	Discarded bool
}

// at is the bound as a time; nil when it is none.
func (b ReplayBound) at(now time.Time) *time.Time {
	switch {
	case b.Age > 0:
		then := now.Add(-b.Age)
		return &then
	case !b.Time.IsZero():
		return &b.Time
	default:
		return nil
	}
}

// ReplayCount says what has become of the rows that a filter chooses.
type ReplayCount struct {
	Found          int64      // that can be published once more
	Oldest, Newest *time.Time // of these; nil when there are none
	// Pending, Parked and Discarded are left alone.
	Pending, Parked, Discarded int64
	// Replayed are those that will be published once more.
	Replayed int64
	// LastID is how far the walk along the log came.
	LastID int64
}

// CountReplay counts what [Log.Replay] would do, and changes nothing.
func (l *Log) CountReplay(ctx context.Context, f ReplayFilter, progress func(ReplayCount)) (ReplayCount, error) {
	return l.walk(ctx, f, progress, func([]int64) (int64, error) { return 0, nil })
}

// Replay publishes the filter's messages once more, under their own ids and in their
// order, up to where the log ends when it begins.
//
// It works in many short transactions, calls progress after each with the count so far,
// and returns that count, with an error too: what was done stays. After an error go on
// behind its LastID: from the start it would publish a third time what has gone out
// again by then.
func (l *Log) Replay(ctx context.Context, f ReplayFilter, note string, progress func(ReplayCount)) (ReplayCount, error) {
	return l.walk(ctx, f, progress, func(ids []int64) (n int64, err error) {
		if err = l.call(ctx, l.query("replay"), []any{ids, note}, &n); err != nil {
			err = fmt.Errorf("replay messages %d to %d: %w", ids[0], ids[len(ids)-1], explain(err))
		}
		return n, err
	})
}

// walk goes along the log in the order of ids, a slice at a time, and applies a change
// to what it found in each.
func (l *Log) walk(
	ctx context.Context, f ReplayFilter, progress func(ReplayCount), change func(ids []int64) (int64, error),
) (ReplayCount, error) {
	var count ReplayCount
	var first, last int64
	var now time.Time
	if err := l.call(ctx, l.query("replay_end"), nil, &first, &last, &now); err != nil {
		return count, fmt.Errorf("look for the end of the outbox: %w", explain(err))
	}
	first = max(first, f.From.ID)
	if f.To.ID > 0 {
		last = min(last, f.To.ID)
	}
	from, to := f.From.at(now), f.To.at(now)
	for next := &first; next != nil; {
		var s slice
		bounds := []any{*next, last, sliceIDs, from, to, f.AggregateID, f.Type, f.Exchange, f.Discarded}
		if err := l.call(ctx, l.query("replay_slice"), bounds,
			&s.next, &s.ids, &s.oldest, &s.newest, &s.pending, &s.discarded, &s.parked); err != nil {
			return count, fmt.Errorf("read the outbox from row %d on: %w", *next, explain(err))
		}
		count.add(s)
		if len(s.ids) > 0 {
			changed, err := change(s.ids)
			if err != nil {
				return count, err
			}
			count.Replayed += changed
		}
		count.LastID = min(*next+sliceIDs-1, last)
		progress(count)
		next = s.next
	}
	return count, nil
}

// slice is what replay_slice.sql returns.
type slice struct {
	next                       *int64 // id to go on from; nil at the end
	ids                        []int64
	oldest, newest             *time.Time
	pending, discarded, parked int64
}

func (c *ReplayCount) add(s slice) {
	c.Found += int64(len(s.ids))
	c.Pending += s.pending
	c.Discarded += s.discarded
	c.Parked += s.parked
	if s.oldest != nil && (c.Oldest == nil || s.oldest.Before(*c.Oldest)) {
		c.Oldest = s.oldest
	}
	if s.newest != nil && (c.Newest == nil || s.newest.After(*c.Newest)) {
		c.Newest = s.newest
	}
}
