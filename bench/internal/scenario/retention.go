package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/internal/report"
	"go.example/saga/bench/internal/stats"
)

const (
	// partitions is how many of them pass.
	partitions = 20
	// backAtStart is how much of its size at the start the table may have again.
	backAtStart = 1.1
	// retentionTime bounds the wait for the last drop.
	retentionTime = 3 * time.Minute
)

// Retention lets rows pass through an outbox of small partitions that are kept for
// a second. At the start and at the end as many rows are in the partition in use, so that
// it weighs the same.
func (e Env) Retention(ctx context.Context) (result Result, err error) {
	size := max(e.Rows/5, 2)
	queue, err := e.Lab.Queue(lab.Classic)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, queue.Delete(), e.Lab.DropDatabases(context.WithoutCancel(ctx))) }()
	passing, err := e.pass(ctx, queue, size)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, passing.stop()) }()
	if err := passing.rows(ctx, size/2); err != nil {
		return result, err
	}
	start, err := passing.size(ctx)
	if err != nil {
		return result, err
	}
	if err := passing.rows(ctx, partitions*size); err != nil {
		return result, err
	}
	if err := passing.fillInUse(ctx, size/2); err != nil {
		return result, err
	}
	e.Say("%-10s waiting for the last partition to be dropped", "retention")
	end, err := passing.shrunk(ctx, backAtStart*start)
	if err != nil {
		return result, err
	}
	result.Tables = []report.Table{{
		Title: "Retention",
		Note: fmt.Sprintf("%d messages pass while the relay runs, with RELAY_PARTITION_ROWS=%d and RELAY_RETENTION=1s. Sizes are of the outbox with its indexes, in MiB.",
			partitions*size, size),
		Head: []string{"at the start", "largest", "at the end", "end ÷ start"},
		Rows: [][]string{{stats.Number(mib(start)), stats.Number(mib(passing.largest)), stats.Number(mib(end)), stats.Number(end / start)}},
	}}
	result.Bars = []stats.Bar{stats.AtMost("retention.size", end/start, backAtStart)}
	return result, nil
}

func mib(bytes float64) float64 { return bytes / (1 << 20) }
