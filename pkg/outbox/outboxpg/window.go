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

// A window is sparse when its rows are few and each takes many ids: then the walk along
// the primary key is dropped for the index on xact. Small windows are walked as long as
// they span no more than a few pages of the table, and large ones always, because the
// other way looks at all of their index entries for each page.
const (
	sparseness = 16
	smallSpan  = 10_000
	sparseRows = 100_000
)

func (w *window) sparse() bool {
	return w.rows <= sparseRows && w.last-w.first > smallSpan+sparseness*w.rows
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
