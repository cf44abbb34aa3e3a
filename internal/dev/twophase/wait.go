package twophase

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// Row is one that somebody wants to work with, and the statements for it.
type Row struct {
	Name, URL         string
	Read, Lock, Write string // Read gives a text
}

// Wait is for how long the statements for a row waited.
type Wait struct {
	Row               string
	Read, Lock, Write time.Duration
	Seen              string // by Read
}

// patience bounds each wait.
const patience = 20 * time.Second

// Measure tries all statements for all rows side by side, each in a transaction of its own
// that is rolled back. It returns when all of them got through; one that waits for longer
// than 20 s is an error.
func Measure(ctx context.Context, rows []Row) ([]Wait, error) {
	group, ctx := errgroup.WithContext(ctx)
	waits := make([]Wait, len(rows))
	for i, row := range rows {
		w := &waits[i]
		w.Row = row.Name
		try := func(statement string, took *time.Duration, into ...any) {
			group.Go(func() (err error) {
				*took, err = row.try(ctx, statement, into...)
				return err
			})
		}
		try(row.Read, &w.Read, &w.Seen)
		try(row.Lock, &w.Lock)
		try(row.Write, &w.Write)
	}
	return waits, group.Wait()
}

// try measures one statement, without the connecting.
func (r Row) try(ctx context.Context, statement string, into ...any) (took time.Duration, err error) {
	err = in(ctx, r.URL, func(conn *pgx.Conn) error {
		tx, err := conn.Begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
		if _, err := tx.Exec(ctx, fmt.Sprintf(`SET LOCAL lock_timeout = %d`, patience.Milliseconds())); err != nil {
			return err
		}
		began := time.Now()
		if len(into) > 0 {
			err = tx.QueryRow(ctx, statement).Scan(into...)
		} else {
			_, err = tx.Exec(ctx, statement)
		}
		took = time.Since(began)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("try %q for at most %v: %w", statement, patience, err)
	}
	return took, nil
}
