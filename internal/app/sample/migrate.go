package sample

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"go.example/saga/internal/app"
	sagasql "go.example/saga/sql"
)

// ReservationLines are those of the reservation service's database.
var ReservationLines = []sagasql.Line{sagasql.Outbox, sagasql.Saga, sagasql.Inbox, sagasql.Reservation}

// ParticipantLines are those of a participant's database, with its own.
func ParticipantLines(own ...sagasql.Line) []sagasql.Line {
	return append([]sagasql.Line{sagasql.Outbox, sagasql.Inbox, sagasql.Participant}, own...)
}

// migrate brings the service's own database up to date, waiting for a database
// that is not there yet. Only ctx ends the waiting, which is no error; an error of
// the migration itself ends the daemon, and so does a database of another service. Where nothing is missing it reads saga_migration
// and saga_service and no more, so that the daemon's role need not own the tables.
func migrate(ctx context.Context, s Settings, log *zap.Logger, lines ...sagasql.Line) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.MaxInterval = 5 * time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := app.Migrate(ctx, s.DatabaseAddress, s.DatabaseSchema, s.Service, lines...)
		if err != nil && !unreachable(err) {
			err = backoff.Permanent(withCure(err, cmp.Or(s.DatabaseSchema, "public")))
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, pause time.Duration) {
		log.Warn("the database cannot be migrated yet, trying again", zap.Error(err), zap.Duration("pause", pause))
	}))
	if err == nil {
		log.Info("the database is up to date", zap.Any("lines", lines))
	}
	return unlessEnded(ctx, err)
}

// withCure says how a role that is no owner gets its tables.
func withCure(err error, schema string) error {
	const insufficientPrivilege = "42501"
	var server *pgconn.PgError
	if errors.As(err, &server) && server.Code == insufficientPrivilege {
		return fmt.Errorf("%w; run the command migrate as the owner of the tables, and GRANT SELECT ON %[2]s.saga_migration, %[2]s.saga_service, with USAGE ON SCHEMA %[2]s, to this role", err, schema)
	}
	return err
}

// unlessEnded leaves out an error that came with the end of ctx.
func unlessEnded(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

// unreachable tells the errors that starting or creating the database heals, also
// those of a database that went away in the middle of a migration.
func unreachable(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	var server *pgconn.PgError
	if errors.As(err, &server) {
		class := server.Code[:min(2, len(server.Code))]
		return class == "57" || class == "53" || class == "08" || class == "3D"
	}
	return errors.As(err, &connect) || errors.As(err, &network) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn) || pgconn.SafeToRetry(err)
}
