package inbox

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// Class says what to do about an error.
type Class int

const (
	// Unknown errors get a few more tries.
	Unknown Class = iota
	// Transient errors are not the message's fault: wait and try again.
	Transient
	// Permanent errors come again with the same message.
	Permanent
)

func (c Class) String() string {
	return [...]string{"unknown", "transient", "permanent"}[c]
}

// byState classifies by SQLSTATE, by its five characters before its class of two
// (PostgreSQL manual, appendix A).
var byState = map[string]Class{
	"08":    Transient, // connection exception
	"25006": Transient, // read-only transaction: a standby, a failover
	"25P03": Transient, // the session idled too long in a transaction: we were cut off
	"28":    Transient, // invalid authorization: a rotated password
	"3D":    Transient, // the database does not exist, yet
	"3F":    Transient, // nor does the schema
	"40":    Transient, // serialization failure, deadlock, unknown completion
	"53":    Transient, // out of disk, memory or connections
	"55006": Transient, // object in use
	"55P03": Transient, // lock not available
	"57":    Transient, // shutdown, crash, cancelled by a timeout
	"58":    Transient, // I/O error of the server

	// A table, column, function or right that is missing is a deployment that is
	// not complete. A migration heals it, and no message is to blame.
	"42501": Transient,
	"42703": Transient,
	"42883": Transient,
	"42P01": Transient,

	"22": Permanent, // data exception: NUL in a text, number out of range
	"23": Permanent, // constraint violation
	"54": Permanent, // nested too deep, too many columns
}

// Classify tells the class of an error of PostgreSQL by its SQLSTATE; any other
// error is Unknown. The loop itself also knows when the connection was lost, which
// is Transient, and when the handler panicked, which is Permanent.
func Classify(err error) Class {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || len(pg.Code) != 5 {
		return Unknown
	}
	if class, ok := byState[pg.Code]; ok {
		return class
	}
	return byState[pg.Code[:2]]
}
