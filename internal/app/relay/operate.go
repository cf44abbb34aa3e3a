package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.example/saga/pkg/outbox/outboxpg"
)

// Outbox is the outbox of one of the configured databases.
type Outbox struct {
	Database string // its short name
	Log      *outboxpg.Log
}

// EachOutbox calls work for the outbox of each database, or only of the one that is
// named. What fails in one does not keep it from the others.
func EachOutbox(ctx context.Context, s Settings, named string, work func(Outbox) error) error {
	return withOutboxes(ctx, s, named, func(outboxes []Outbox) error {
		var errs []error
		for _, o := range outboxes {
			if err := work(o); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", o.Database, err))
			}
		}
		return errors.Join(errs...)
	})
}

// OneOutbox calls work for the outbox of the database that is named, or of the only
// one. It fails with [ErrSettings] where the name is needed, because ids mean something
// else in each database.
func OneOutbox(ctx context.Context, s Settings, named string, work func(Outbox) error) error {
	return withOutboxes(ctx, s, named, func(outboxes []Outbox) error {
		if len(outboxes) > 1 {
			return fmt.Errorf("%w: there are %d databases, say which with --database: %s",
				ErrSettings, len(outboxes), names(outboxes))
		}
		return work(outboxes[0])
	})
}

func withOutboxes(ctx context.Context, s Settings, named string, work func([]Outbox) error) error {
	databases, closeAll, err := openDatabases(ctx, s, name+"-operator")
	if err != nil {
		return err
	}
	defer closeAll()
	var all, chosen []Outbox
	for _, d := range databases {
		o := Outbox{d.name, d.log}
		all = append(all, o)
		if named == "" || named == d.name {
			chosen = append(chosen, o)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("%w: no database is called %s, there are %s", ErrSettings, named, names(all))
	}
	return work(chosen)
}

func names(outboxes []Outbox) string {
	list := make([]string, len(outboxes))
	for i, o := range outboxes {
		list[i] = o.Database
	}
	return strings.Join(list, ", ")
}
