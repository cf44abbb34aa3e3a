package outboxpg

import (
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// The SQLSTATEs that are told apart here.
const (
	undefinedTable        = "42P01"
	undefinedFunction     = "42883"
	invalidSchema         = "3F000"
	insufficientPrivilege = "42501"
	readOnly              = "25006"
	wrongIsolation        = "25000"
	serialization         = "40001"
	uniqueViolation       = "23505"
	lockNotAvailable      = "55P03"
	deadlock              = "40P01"
	moved                 = "SG001" // of outbox_expect
)

// cureOf says what heals an error of the database, from its code and its own words; empty
// where nothing is known that the error does not say itself.
func cureOf(err *pgconn.PgError) string {
	switch err.Code {
	case insufficientPrivilege:
		return cureOfRights(err.Message)
	case readOnly:
		return "the server is a standby, or the database was made read-only: connect to the primary, or make it writable"
	case wrongIsolation, serialization:
		return "a default_transaction_isolation other than read committed is set for the role, the database or the server: reset it"
	case uniqueViolation:
		if strings.HasPrefix(err.TableName, "outbox") && strings.HasSuffix(err.ConstraintName, "_pkey") {
			return "a sequence may stand behind the rows of " + err.TableName + ": set it to their highest id with setval"
		}
	}
	return err.Hint
}

// cureOfRights: the server's messages are English unless lc_messages says otherwise; then
// the statements have to do.
func cureOfRights(message string) string {
	const seeStatus = "`relay status` prints the statements"
	switch {
	case strings.HasPrefix(message, "must be owner of"):
		return "only its owner may do that: make the relay's role a member of the owner's, " + seeStatus
	case strings.Contains(message, "row-level security"):
		return "row security hides rows from the relay's role: let it pass with ALTER ROLE … BYPASSRLS, or drop the policy"
	case strings.HasSuffix(message, "function pg_control_system"):
		return "GRANT EXECUTE ON FUNCTION pg_control_system() to the relay's role"
	case strings.HasPrefix(message, "permission denied for "):
		return "grant it to the relay's role, " + seeStatus
	default:
		return seeStatus
	}
}
