package relay

import (
	"context"
	"errors"

	sagasql "go.example/saga/sql"
)

// Migrate creates or updates the outbox tables of every database, and tells done
// of each. What fails in one does not keep it from the others.
func Migrate(ctx context.Context, s Settings, done func(database string)) error {
	databases, closeAll, err := openDatabases(ctx, s, name+"-migrate")
	if err != nil {
		return err
	}
	defer closeAll()
	line := sagasql.Outbox
	if s.Adopt.Table != "" {
		line = sagasql.Relay // the view stands where the table would
	}
	var errs []error
	for _, d := range databases {
		if err := sagasql.Up(ctx, d.url, s.DatabaseSchema, line); err != nil {
			errs = append(errs, err)
			continue
		}
		done(d.name)
	}
	return errors.Join(errs...)
}
