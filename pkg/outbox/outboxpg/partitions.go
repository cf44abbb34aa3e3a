package outboxpg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	sagasql "go.example/saga/sql"
)

// ErrBusy: somebody uses the outbox in a transaction that is open for longer than
// the change of a partition may wait. Nothing was changed; try again later.
var ErrBusy = errors.New("a longer transaction uses the outbox at this moment")

// PartitionsAhead sees to it that so many partitions of width rows, or of more where many
// are kept, lie ahead of the row inserted last, and returns how many it has made. A table that somebody else made is
// left alone. Any number of relays may call it at the same time: one works, the others
// make none. Writers wait for a tenth of a second at most. It fails with [ErrBusy],
// with a [RightsError], and while outbox_default is too large to be looked through; in all
// cases the outbox works on and the call can be repeated later.
func (l *Log) PartitionsAhead(ctx context.Context, width int64, ahead int) (made int, err error) {
	err = l.maintain(ctx, &made, "partitions_ahead", width, ahead)
	if err != nil {
		return 0, fmt.Errorf("make partitions of the outbox: %w", err)
	}
	return made, nil
}

// PartitionsMissing says how many of so many partitions ahead of the row inserted last are
// missing. It changes nothing. Errors as for [Log.PartitionsAhead].
func (l *Log) PartitionsMissing(ctx context.Context, ahead int) (missing int, err error) {
	err = l.maintain(ctx, &missing, "partitions_missing", ahead)
	if err != nil {
		return 0, fmt.Errorf("count the partitions of the outbox: %w", err)
	}
	return missing, nil
}

// MendSequence sets the sequence of ids behind the highest id, where rows were copied in under
// ids of their own, and returns by how much it was behind; else 0. Until then appends fail with
// SQLSTATE 23505. It blocks nobody. Errors as for [Log.PartitionsAhead].
func (l *Log) MendSequence(ctx context.Context) (behind int64, err error) {
	err = l.maintain(ctx, &behind, "sequence_mend")
	if err != nil {
		return 0, fmt.Errorf("set the sequence of the outbox's ids: %w", err)
	}
	return behind, nil
}

// DropPartition drops the first partition whose rows are all published or parked and
// whose newest row is older than keep, and returns its name; empty when there is none.
// Rows that are parked and not discarded stay. Who calls it, errors and waiting as for
// [Log.PartitionsAhead].
func (l *Log) DropPartition(ctx context.Context, keep time.Duration) (name string, err error) {
	err = l.maintain(ctx, &name, "partition_drop", keep.Seconds())
	if err != nil {
		return "", fmt.Errorf("drop a partition of the outbox: %w", err)
	}
	return name, nil
}

// TrimDefault deletes a batch of published rows older than keep that are in no
// partition but the default one, and returns their number; 0 when there are none. It
// blocks nobody and can be repeated after an error.
func (l *Log) TrimDefault(ctx context.Context, keep time.Duration) (rows int64, err error) {
	err = l.maintain(ctx, &rows, "partition_default_trim", keep.Seconds())
	if err != nil {
		return 0, fmt.Errorf("trim the default partition of the outbox: %w", err)
	}
	return rows, nil
}

// maintain calls one of the functions that come with the outbox's own table. Where they
// are missing, the table is somebody else's and so is its maintenance.
func (l *Log) maintain(ctx context.Context, result any, query string, args ...any) error {
	err := l.call(ctx, sagasql.Query(l.schema, "outbox/"+query+".sql"), args, result)
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return err
	}
	switch pgErr.Code {
	case undefinedFunction:
		return nil
	case lockNotAvailable, deadlock:
		return fmt.Errorf("%w (%w)", ErrBusy, err)
	case insufficientPrivilege:
		return l.rightsBehind(ctx, TaskUpkeep, explain(err))
	default:
		return explain(err)
	}
}
