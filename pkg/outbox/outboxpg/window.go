package outboxpg

import (
	"context"
	"fmt"
)

// window is the difference of two snapshots, measured.
type window struct {
	settled, ends string
	// first is the lowest id that is left and last no lower than any; zeros: none is left.
	first, last int64
	// sparse: its rows lie so far apart that the index on xact is the way to them, and
	// not the primary key.
	sparse bool
}

// open makes t.window the window that from is in, or a new one.
func (t *Tenure) open(ctx context.Context, from Position) error {
	if from.window != "" && t.window.settled == from.settled && t.window.ends == from.window {
		return nil
	}
	w := window{settled: from.settled}
	row := t.log.pool.QueryRow(ctx, t.log.query("window"), t.present, from.settled, from.window, from.lastID)
	if err := row.Scan(&w.ends, &w.first, &w.last, &w.sparse); err != nil {
		return fmt.Errorf("open a window of the outbox: %w", explain(err))
	}
	t.window = w
	return nil
}
