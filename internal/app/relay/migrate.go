package relay

import (
	"context"
	"errors"
	"fmt"

	"go.example/saga/internal/app"
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
		if err := sagasql.Up(ctx, d.url, d.schema, line); err != nil {
			errs = append(errs, err)
			continue
		}
		done(d.name)
	}
	return errors.Join(errs...)
}

// MigrateParticipant prepares the one database of the list for a participant, in whatever
// language, and names the service that its schema belongs to. It returns the database's name.
func MigrateParticipant(ctx context.Context, s Settings, service string) (database string, err error) {
	all, err := s.entries()
	if err != nil {
		return "", err
	}
	if len(all) != 1 {
		return "", fmt.Errorf("%w: the list has %d databases, and a participant has one: name that alone", ErrSettings, len(all))
	}
	return all[0].name, app.Migrate(ctx, s.addressOf(all[0].name), all[0].schema, service,
		sagasql.Outbox, sagasql.Inbox, sagasql.Participant)
}
