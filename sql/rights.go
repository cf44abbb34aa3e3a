package sagasql

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Right is what a program needs of one table, view or function of the schema.
type Right struct {
	On string
	// Privileges are separated by a comma and a blank, as in "SELECT, UPDATE";
	// of a function "EXECUTE".
	Privileges string
}

// RightsError says that a role lacks rights, and gives the statements that give them.
type RightsError struct {
	// Cure holds statements for the owner of the tables, or for a superuser.
	Cure []string
}

func (e *RightsError) Error() string {
	return "the role lacks rights; run as the owner of the tables or a superuser: " + strings.Join(e.Cure, "; ")
}

// SQLState is PostgreSQL's code of a missing right.
func (e *RightsError) SQLState() string { return insufficientPrivilege }

const insufficientPrivilege = "42501"

// Querier runs a query: a pool, a connection or a transaction of pgx.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// CheckRights is nil if the current role has all the rights in the schema, and no row
// security hides rows of its tables from it. A [*RightsError] says what is missing. It is
// one statement that reads catalogues alone.
func CheckRights(ctx context.Context, db Querier, schema string, needed ...Right) error {
	schema, err := checkSchema(schema)
	if err != nil {
		return err
	}
	names, privileges := make([]string, len(needed)), make([]string, len(needed))
	for i, right := range needed {
		names[i], privileges[i] = right.On, right.Privileges
	}
	rows, _ := db.Query(ctx, Query(schema, "rights/missing.sql"), schema, names, privileges)
	cure, err := pgx.CollectRows(rows, pgx.RowTo[string])
	switch {
	case err != nil:
		return fmt.Errorf("look at the role's rights (safe to retry): %w", err)
	case len(cure) > 0:
		return &RightsError{Cure: cure}
	}
	return nil
}

// ExplainRights adds to an error of PostgreSQL for want of a right what the role lacks of
// those that are needed; where that is nothing, it says so: the right is one of somebody
// else's table. Any other error it returns as it is.
func ExplainRights(ctx context.Context, db Querier, schema string, err error, needed ...Right) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != insufficientPrivilege {
		return err
	}
	missing := CheckRights(ctx, db, schema, needed...)
	if missing == nil {
		missing = errors.New("the role has all rights on the tables of this schema that it needs, so it is about another object")
	}
	return fmt.Errorf("%w: %w", err, missing)
}
