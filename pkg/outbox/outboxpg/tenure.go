package outboxpg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Tenure is the time of one relay as the holder of the lease. Read may be called
// by one goroutine at a time, Save and Release by another.
type Tenure struct {
	log    *Log
	lease  time.Duration
	epoch  int64
	from   Position
	window window
	ask    int // rows that the next page asks for
}

// Progress is what a holder writes about itself.
type Progress struct {
	// Position is the place up to which everything is published.
	Position Position
	// PublishedID is the row published last, for people; 0 leaves it as it is.
	PublishedID int64
	// LastError says why the log stands still; empty while it does not.
	LastError string
}

// Position is where the former holder stopped: the place to read from.
func (t *Tenure) Position() Position { return t.from }

// Save writes the progress and renews the lease. It fails with [ErrLost] when
// another relay has the lease. After any other error it can be tried again.
func (t *Tenure) Save(ctx context.Context, p Progress) error {
	tag, err := t.log.pool.Exec(ctx, t.log.query("save"), t.epoch,
		p.Position.settled, p.Position.window, p.Position.lastID, p.PublishedID, p.LastError, t.lease.Seconds())
	return written(tag, err, "save the position of the outbox")
}

// Release writes the progress and gives the lease up, so that a standby need not
// wait for its end. Errors as for Save.
func (t *Tenure) Release(ctx context.Context, p Progress) error {
	tag, err := t.log.pool.Exec(ctx, t.log.query("release"), t.epoch,
		p.Position.settled, p.Position.window, p.Position.lastID, p.PublishedID, p.LastError)
	return written(tag, err, "release the lease of the outbox")
}

func written(tag pgconn.CommandTag, err error, what string) error {
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", what, explain(err))
	case tag.RowsAffected() == 0:
		return fmt.Errorf("%s: %w", what, ErrLost)
	default:
		return nil
	}
}
