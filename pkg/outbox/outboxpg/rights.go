package outboxpg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// MissingRight is something that the database's role may not do, and has to.
type MissingRight struct {
	// Task is what needs it: "publish", without which nothing is; "reshard" for another
	// number of shards; "upkeep" of the partitions.
	Task string
	// Statement heals it, run by somebody who may.
	Statement string
}

// Tasks that need rights.
const (
	TaskPublish = "publish"
	TaskReshard = "reshard"
	TaskUpkeep  = "upkeep"
)

// MissingRights is what the role lacks, in the order of tasks; nothing where it may do
// all. Tables that are not there yet are not asked for. It changes nothing.
func (l *Log) MissingRights(ctx context.Context) ([]MissingRight, error) {
	rows, err := l.pool.Query(ctx, l.query("rights"))
	if err == nil {
		var missing []MissingRight
		if missing, err = pgx.CollectRows(rows, pgx.RowToStructByPos[MissingRight]); err == nil {
			return missing, nil
		}
	}
	return nil, fmt.Errorf("read which rights on the outbox are missing: %w", explain(err))
}

// proveRights fails with a [RightsError] where the role may not do all of a task.
func (l *Log) proveRights(ctx context.Context, task string) error {
	missing, err := l.MissingRights(ctx)
	if err != nil {
		return err
	}
	lacking := &RightsError{Task: task}
	for _, m := range missing {
		if m.Task == task {
			lacking.Statements = append(lacking.Statements, m.Statement)
		}
	}
	if lacking.Statements == nil {
		return nil
	}
	return lacking
}

// rightsBehind replaces an error about a right by the statements for what is missing.
func (l *Log) rightsBehind(ctx context.Context, task string, err error) error {
	if !LacksRights(err) {
		return err
	}
	if proof := l.proveRights(ctx, task); LacksRights(proof) {
		return fmt.Errorf("%w (%w)", proof, err)
	}
	return err
}
