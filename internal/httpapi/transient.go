package httpapi

import (
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// transient are SQLSTATEs, and classes of them by two characters, of a database that
// cannot be used for the moment or a deployment that is not complete (PostgreSQL manual,
// appendix A).
var transient = []string{
	"08",    // connection exception
	"25006", // read-only transaction: a standby, a failover
	"25P03", // the session idled too long in a transaction: we were cut off
	"28",    // invalid authorization: a rotated password
	"3D",    // the database does not exist, yet
	"3F",    // nor does the schema
	"40",    // serialization failure, deadlock, unknown completion
	"53",    // out of disk, memory or connections
	"55006", // object in use
	"55P03", // lock not available
	"57",    // shutdown, crash, cancelled by a timeout
	"58",    // I/O error of the server
	"42501", // a right is missing
	"42703", // a column,
	"42883", // a function
	"42P01", // or a table
}

// Transient says whether to answer that the same request may succeed later. It words an
// answer; nothing is done or left undone by it.
func Transient(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && len(pg.Code) == 5 &&
		(slices.Contains(transient, pg.Code) || slices.Contains(transient, pg.Code[:2]))
}
