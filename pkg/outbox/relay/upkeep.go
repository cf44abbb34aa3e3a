package relay

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"go.example/saga/pkg/outbox/outboxpg"
)

// Upkeep looks after the partitions of one outbox: it makes them ahead of need and drops
// what is published and old. It needs no lease, any number of relays may run it beside
// their engines. Zero numbers mean the defaults.
type Upkeep struct {
	// Log is the outbox, and Name its database's, for logs.
	Log  *outboxpg.Log
	Name string
	// PartitionRows is how many ids a partition takes at least; default 1,000,000. Where
	// many are kept, new ones are wider.
	PartitionRows int64
	// Retention is how long published rows are kept at least; default 168 h.
	Retention time.Duration
	// Logger hears of each partition made and dropped, and Faults of what is in the way;
	// where it is nil, it is made.
	Logger *zap.Logger
	Faults *Faults

	every time.Duration // tests shorten it
}

const (
	defaultPartitionRows = 1_000_000
	defaultRetention     = 7 * 24 * time.Hour
	partitionsAhead      = 2
	upkeepPause          = 10 * time.Second
	// busyPauses bounds the wait before the next attempt at a lock that somebody
	// holds for long: each one keeps writers waiting for a tenth of a second.
	busyPauses = 16
)

// Run works until ctx is done. Whatever fails is tried again later: writers and relays
// do without it for as long as the disk suffices.
func (u *Upkeep) Run(ctx context.Context) {
	if u.Faults == nil {
		u.Faults = NewFaults(u.Name, u.Logger)
	}
	pauses := 1
	for {
		err := u.once(ctx)
		if ctx.Err() != nil {
			return
		}
		u.Faults.Report(TaskUpkeep, err)
		pauses = nextPauses(pauses, err)
		if !sleep(ctx, time.Duration(pauses)*cmp.Or(u.every, upkeepPause)) {
			return
		}
	}
}

func nextPauses(pauses int, err error) int {
	if errors.Is(err, outboxpg.ErrBusy) {
		return min(2*pauses, busyPauses)
	}
	return 1
}

// once does what there is to do. That one thing fails keeps it from no other.
func (u *Upkeep) once(ctx context.Context) error {
	first, others := u.makeAhead(ctx), []error{u.mendSequence(ctx), u.dropExpired(ctx), u.trimDefault(ctx)}
	if outboxpg.LacksRights(first) {
		others = slices.DeleteFunc(others, outboxpg.LacksRights) // the statements are for all of them
	}
	return errors.Join(append(others, first)...)
}

func (u *Upkeep) makeAhead(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, upkeepPause)
	defer cancel()
	made, err := u.Log.PartitionsAhead(ctx, cmp.Or(u.PartitionRows, defaultPartitionRows), partitionsAhead)
	if made > 0 {
		u.log().Info("partitions of the outbox were made", zap.Int("partitions", made))
	}
	return err
}

func (u *Upkeep) mendSequence(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, upkeepPause)
	defer cancel()
	behind, err := u.Log.MendSequence(ctx)
	if behind > 0 {
		u.log().Warn("rows were copied into the outbox under ids of their own: its sequence was set behind them, "+
			"appends failed with SQLSTATE 23505 until now", zap.Int64("behind", behind))
	}
	return err
}

func (u *Upkeep) dropExpired(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, upkeepPause)
	defer cancel()
	for {
		name, err := u.Log.DropPartition(ctx, u.retention())
		if err != nil || name == "" {
			return err
		}
		u.log().Info("a partition of the outbox was dropped: published and older than the retention",
			zap.String("partition", name), zap.Duration("retention", u.retention()))
	}
}

func (u *Upkeep) trimDefault(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, upkeepPause)
	defer cancel()
	for {
		rows, err := u.Log.TrimDefault(ctx, u.retention())
		if err != nil || rows == 0 {
			return err
		}
	}
}

func (u *Upkeep) retention() time.Duration { return cmp.Or(u.Retention, defaultRetention) }

func (u *Upkeep) log() *zap.Logger { return u.Logger.With(zap.String("database", u.Name)) }
