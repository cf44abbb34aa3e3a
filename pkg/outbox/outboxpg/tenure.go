package outboxpg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"go.example/saga/pkg/outbox"
)

// Tenure is the time of one relay as the holder of a shard's lease. Read may be
// called by one goroutine at a time, Save and Release by another, the rest by any.
type Tenure struct {
	log    *Log
	shard  int
	shards int
	lease  time.Duration
	epoch  int64
	from   Position
	window window
	ask    int  // rows that the next page asks for
	many   bool // the window before had more rows than one page
	void   bool
	saved  Position // as the database knows it; the one who calls Save has it
	// present is the server's, at which the position was loaded.
	present string
	// formerTimeline is 0 where the timeline is the same as with the lease before.
	formerTimeline int64
}

// Progress is what a holder writes: about itself, and about the messages that left
// the log's order. All of it is written or nothing.
type Progress struct {
	// Position is the place up to which everything is published or parked.
	Position Position
	// PublishedID is the row published last, for people; 0 leaves it as it is.
	PublishedID int64
	// LastError says why the log stands still; empty while it does not.
	LastError string
	// Parked are messages to set aside, or failed attempts of such. Each once.
	Parked []Parking
	// Unparked are parked messages that the broker has confirmed.
	Unparked []*outbox.Record
	// Recovered are destinations that took a message which they had refused before:
	// their other messages become due.
	Recovered []Destination
	// Touched are the aggregates of what is in Parked or Unparked.
	Touched []string
}

// Saved is what a holder learns by writing.
type Saved struct {
	// ParkedVersion changes when somebody else has changed the parked messages.
	ParkedVersion int64
	// Blocked are those of the touched aggregates whose later messages must wait.
	Blocked []string
}

// Position is where the former holder stopped: the place to read from.
func (t *Tenure) Position() Position { return t.from }

// FormerTimeline is the timeline of the server's log at the lease before this one, where it was
// another: a standby has been promoted, or an older state of the database was restored, and
// commits may have been lost with it. 0 where it is the same, or not known.
func (t *Tenure) FormerTimeline() int64 { return t.formerTimeline }

// Void says that the lease was taken from a relay that had it by the database's clock
// alone: it had not renewed it for longer than its length, so the clock was set back.
func (t *Tenure) Void() bool { return t.void }

// Save writes the progress and renews the lease. It fails with [ErrLost] when
// another relay has the lease, and with [ErrMoved]. After any other error it can be tried again.
func (t *Tenure) Save(ctx context.Context, p Progress) (Saved, error) {
	saved, err := t.write(ctx, "save", p, t.lease.Seconds())
	if err != nil {
		return Saved{}, fmt.Errorf("save the position of the outbox's shard %d: %w", t.shard, t.log.rightsBehind(ctx, TaskPublish, explain(err)))
	}
	t.saved = p.Position
	return saved, nil
}

// Release writes the progress and gives the lease up, so that a standby need not
// wait for its end. Errors as for Save.
func (t *Tenure) Release(ctx context.Context, p Progress) error {
	if _, err := t.write(ctx, "release", p); err != nil {
		return fmt.Errorf("release the lease of the outbox's shard %d: %w", t.shard, explain(err))
	}
	return nil
}

// Follows says that nobody held the shard between former and t and that the position is as
// former saved it last, on the same server: what former could not save, t still can.
func (t *Tenure) Follows(former *Tenure) bool {
	return t.shard == former.shard && t.shards == former.shards && t.epoch == former.epoch+1 &&
		t.from == former.saved && t.present == former.present
}

// Abandon gives the lease up without any progress, where that cannot be written, and
// leaves the reason for people. Errors as for Save.
func (t *Tenure) Abandon(ctx context.Context, reason string) error {
	err := t.log.transact(ctx, func(b *pgx.Batch) { b.Queue(t.log.query("abandon"), t.shard, t.epoch, reason) })
	if err != nil {
		return fmt.Errorf("give the lease of the outbox's shard %d up: %w", t.shard, explain(err))
	}
	return nil
}

// PullIn makes retries due that are further ahead than the longest pause before one, which
// they cannot be unless the database's clock was set back. It returns how many: at most
// max, so repeat it while there are as many. It waits for nobody.
func (t *Tenure) PullIn(ctx context.Context, longest time.Duration, max int) (retries int64, err error) {
	err = t.log.transact(ctx, func(b *pgx.Batch) {
		b.Queue(t.log.query("pull_in"), t.shard, t.shards, longest.Seconds(), max).Exec(func(tag pgconn.CommandTag) error {
			retries = tag.RowsAffected()
			return nil
		})
	})
	if err != nil {
		return 0, fmt.Errorf("look for retries that are due in outbox_parked: %w", explain(err))
	}
	return retries, nil
}

func (t *Tenure) write(ctx context.Context, query string, p Progress, extra ...any) (saved Saved, err error) {
	args := append([]any{
		t.shard, t.epoch,
		p.Position.settled, p.Position.window, p.Position.lastID, p.PublishedID, p.LastError,
	}, extra...)
	args = append(args, t.present)
	if len(p.Touched) == 0 {
		return saved, lost(t.log.call(ctx, t.log.query(query), args, &saved.ParkedVersion))
	}
	err = t.log.steps(ctx, func(tx pgx.Tx) error {
		// Before the rest, because it locks the position and so keeps a former holder out.
		if err := tx.QueryRow(ctx, t.log.query(query), args...).Scan(&saved.ParkedVersion); err != nil {
			return lost(err)
		}
		return t.writeParked(ctx, tx, p, &saved)
	})
	return saved, err
}

func lost(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrLost
	}
	return err
}
