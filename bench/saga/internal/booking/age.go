package booking

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

const (
	// copiers copy at the same time.
	copiers = 2
	// copyEach is how often the sagas are copied in one transaction.
	copyEach = 100
	// partitionRows is how many messages a partition takes, as the relay makes them.
	partitionRows = 1_000_000
)

var (
	//go:embed age_begin.sql
	ageBeginSQL string
	//go:embed age_end.sql
	ageEndSQL string
)

// Age copies the sagas that have ended, with their history and their messages, until
// there are about so many. Copies are valid by construction, whatever the tables'
// columns are; the messages count as published.
func (d Databases) Age(ctx context.Context, count int) error {
	var sagas, messages int
	err := with(ctx, d.Reservation, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, ageBeginSQL); err != nil {
			return fmt.Errorf("keep the sagas that are to be copied: %w", err)
		}
		return conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM aged.saga), (SELECT count(*) FROM aged.outbox)`).Scan(&sagas, &messages)
	})
	if err != nil {
		return err
	}
	copies := count/max(1, sagas) - 1
	if err := d.partitions(ctx, copies*messages); err != nil {
		return err
	}
	var next atomic.Int64
	group, copying := errgroup.WithContext(ctx)
	for range copiers {
		group.Go(func() error { return with(copying, d.Reservation, copier(copying, &next, copies)) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return with(ctx, d.Reservation, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, ageEndSQL)
		return err
	})
}

// partitions makes room in the outbox, as the relay would have in time.
func (d Databases) partitions(ctx context.Context, messages int) error {
	return with(ctx, d.Reservation, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `SELECT public.outbox_partitions_ahead($1, $2)`, partitionRows, messages/partitionRows+2)
		if err != nil {
			return fmt.Errorf("make partitions of the outbox: %w", err)
		}
		return nil
	})
}

// copier copies until all copies are made or begun by others.
func copier(ctx context.Context, next *atomic.Int64, copies int) func(*pgx.Conn) error {
	return func(conn *pgx.Conn) error {
		statements, err := copying(ctx, conn)
		if err != nil {
			return err
		}
		for {
			end := int(next.Add(copyEach))
			from := end - copyEach + 1
			if from > copies {
				return nil
			}
			err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
				for _, statement := range statements {
					if _, err := tx.Exec(ctx, statement, from, min(end, copies)); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("copy sagas that have ended: %w", err)
			}
		}
	}
}

// copying are the statements for the copies from $1 to $2.
func copying(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	// Millions of copies of valid rows need not be checked one by one: neither references
	// nor triggers, which hold the tables' invariants, look at them.
	if _, err := conn.Exec(ctx, `SET session_replication_role = replica`); err != nil {
		return nil, fmt.Errorf("copy without triggers: %w", err)
	}
	var statements []string
	for _, table := range []struct {
		name string
		// keys are uuids, or their text, that the copy has another one for.
		keys map[string]string
		// drawn are columns whose default draws a value.
		drawn []string
	}{
		{"saga", map[string]string{"id": "uuid", "business_key": "text"}, nil},
		{"saga_history", map[string]string{"saga_id": "uuid"}, nil},
		{"outbox", map[string]string{"aggregate_id": "text", "correlation_id": "text"}, []string{"id", "xact", "event_id"}},
	} {
		rows, _ := conn.Query(ctx, `SELECT attname FROM pg_attribute
			WHERE attrelid = ('public.' || $1::text)::regclass AND attnum > 0 AND NOT attisdropped AND attname <> ALL ($2::text[])`,
			table.name, append([]string{}, table.drawn...))
		columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, fmt.Errorf("the columns of %s: %w", table.name, err)
		}
		values := make([]string, len(columns))
		for i, column := range columns {
			values[i] = "p." + column
			if kind, is := table.keys[column]; is {
				values[i] = fmt.Sprintf("aged.copy_of(p.%s::text, k)::%s", column, kind)
			}
		}
		statements = append(statements, fmt.Sprintf(`INSERT INTO public.%s (%s) SELECT %s FROM generate_series($1::bigint, $2::bigint) AS k CROSS JOIN aged.%[1]s AS p ORDER BY k`,
			table.name, strings.Join(columns, ", "), strings.Join(values, ", ")))
	}
	return statements, nil
}
