package sagasql

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Service is one program or several that share a schema of tables and are one to all
// others: commands are sent to its name, and its queues on the broker carry its id.
type Service struct {
	// Name is up to 100 letters, digits, _ and -, the first one a letter or a digit.
	Name string
	// ID was drawn when the service was named. A copy of the database has the same one.
	ID uuid.UUID
}

var serviceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)

var (
	// ErrNoService says that a schema has no service's name yet.
	ErrNoService = errors.New("the schema belongs to no service yet; run the command migrate with SERVICE=NAME, or call sagasql.NameService")
	// ErrOtherService says that a schema belongs to a service of another name.
	ErrOtherService = errors.New("the schema belongs to another service; give each service a database or a schema of its own")
)

// Writer runs queries and other statements: a pool, a connection or a transaction of pgx.
type Writer interface {
	Querier
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// RightToKnowService is what [LoadService] needs.
var RightToKnowService = Right{On: "saga_service", Privileges: "SELECT"}

// CheckServiceName is nil if a service can have this name.
func CheckServiceName(name string) error {
	if !serviceName.MatchString(name) {
		return fmt.Errorf("%q is no name of a service: want 1 to 100 letters, digits, _ and -, the first one a letter or a digit", name)
	}
	return nil
}

// NameService gives the schema's service its name, once: where it has one already, that
// must be the same, or the error Is [ErrOtherService]. Several may call it at the same
// time. The empty schema is public.
func NameService(ctx context.Context, db Writer, schema, name string) (Service, error) {
	if err := CheckServiceName(name); err != nil {
		return Service{}, err
	}
	// Looking first, a daemon that migrates at its start need not have the right to write.
	service, err := LoadService(ctx, db, schema, name)
	if !errors.Is(err, ErrNoService) {
		return service, err
	}
	if _, err := db.Exec(ctx, Query(schema, "identity/name.sql"), name); err != nil {
		return Service{}, fmt.Errorf("name the service %q (safe to retry): %w", name, err)
	}
	return LoadService(ctx, db, schema, name)
}

// LoadService reads whose schema it is. Where name is not empty and not the service's, the
// error Is [ErrOtherService]: the program was given another service's database. It Is
// [ErrNoService] where the service has no name. The empty schema is public.
func LoadService(ctx context.Context, db Querier, schema, name string) (Service, error) {
	rows, _ := db.Query(ctx, Query(schema, "identity/load.sql"))
	service, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Service])
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Service{}, ErrNoService
	case err != nil:
		return Service{}, fmt.Errorf("read the service's name (safe to retry): %w", err)
	case name != "" && name != service.Name:
		return Service{}, fmt.Errorf("%w: this one is %q's, not %q's", ErrOtherService, service.Name, name)
	}
	return service, nil
}
