package outboxpg

import (
	"context"
	"fmt"
)

// window is the difference of two snapshots, measured.
type window struct {
	settled, ends string
	first, last   int64 // lowest and highest id that is left
	rows          int64
}

// sparseness is how many ids a row of a window may take before the walk along
// the primary key is dropped for the index on xact; small windows are walked as
// long as they span no more than a few pages of the table.
const (
	sparseness = 16
	smallSpan  = 10_000
)

func (w *window) sparse() bool {
	return w.last-w.first > smallSpan+sparseness*w.rows
}

// open makes t.window the window that from is in, or a new one.
func (t *Tenure) open(ctx context.Context, from Position) error {
	if from.window != "" && t.window.settled == from.settled && t.window.ends == from.window {
		return nil
	}
	w := window{settled: from.settled}
	row := t.log.pool.QueryRow(ctx, t.log.query("window"), from.settled, from.window, from.lastID)
	if err := row.Scan(&w.ends, &w.first, &w.last, &w.rows); err != nil {
		return fmt.Errorf("open a window of the outbox: %w", explain(err))
	}
	t.window = w
	return nil
}
