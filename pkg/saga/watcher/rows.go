package watcher

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/saga"
)

// columns are courses as the arrays that the statements take.
type columns struct {
	ids              [][16]byte
	names, statuses  []string
	versions         []int32
	keys             []*string
	events           []string
	started, updated []time.Time
	due, ended       []*time.Time
}

func (c *columns) add(w saga.Watched) {
	events, err := json.Marshal(w.Events)
	if err != nil {
		panic(err) // of names and times
	}
	c.ids, c.names, c.versions = append(c.ids, w.ID), append(c.names, w.Choreography), append(c.versions, int32(w.Version))
	c.keys, c.statuses, c.events = append(c.keys, optional(w.BusinessKey)), append(c.statuses, string(w.Status)), append(c.events, string(events))
	c.started, c.updated = append(c.started, w.StartedAt), append(c.updated, w.UpdatedAt)
	c.due, c.ended = append(c.due, optional(w.DueAt)), append(c.ended, optional(w.EndedAt))
}

// optional is nil for a zero value.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// loadAll locks and reads the courses of the facts.
func (w *Watcher) loadAll(ctx context.Context, tx pgx.Tx, facts []heard) ([]saga.Watched, error) {
	var ids [][16]byte
	for _, f := range facts {
		if !slices.Contains(ids, [16]byte(f.SagaID)) {
			ids = append(ids, f.SagaID)
		}
	}
	rows, _ := tx.Query(ctx, w.load, ids)
	courses, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c saga.Watched, err error) {
		var id uuid.UUID
		var businessKey *string
		var due, ended *time.Time
		err = row.Scan(&id, &c.Choreography, &c.Version, &businessKey, &c.Status, &c.Events, &c.StartedAt, &c.UpdatedAt, &due, &ended)
		c.ID, c.BusinessKey, c.DueAt, c.EndedAt = saga.ID(id), value(businessKey), value(due), value(ended)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("load courses: %w", err)
	}
	return courses, nil
}

// saveAll writes what the courses are now.
func (w *Watcher) saveAll(ctx context.Context, tx pgx.Tx, courses []saga.Watched) error {
	if len(courses) == 0 {
		return nil
	}
	var rows columns
	for _, c := range courses {
		rows.add(c)
	}
	_, err := tx.Exec(ctx, w.save, rows.ids, rows.names, rows.keys, rows.statuses, rows.events, rows.updated, rows.due, rows.ended)
	if err != nil {
		return fmt.Errorf("save courses: %w", err)
	}
	return nil
}
