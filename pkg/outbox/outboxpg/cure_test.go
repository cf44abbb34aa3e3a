package outboxpg

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func TestTheCureBelongsToTheError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  pgconn.PgError
		want string
	}{
		{pgconn.PgError{Code: "42501", Message: "must be owner of table outbox"}, "a member of the owner's"},
		{pgconn.PgError{Code: "42501", Message: "permission denied for table outbox_parked"}, "`relay status` prints the statements"},
		{pgconn.PgError{Code: "42501", Message: "permission denied for function pg_control_system"}, "GRANT EXECUTE ON FUNCTION pg_control_system()"},
		{pgconn.PgError{Code: "42501", Message: `query would be affected by row-level security policy for table "outbox"`}, "BYPASSRLS"},
		{pgconn.PgError{Code: "42501", Message: "droit refusé"}, "`relay status` prints the statements"},
		{pgconn.PgError{Code: "25006", Message: "cannot execute UPDATE in a read-only transaction"}, "connect to the primary"},
		{pgconn.PgError{Code: "25000", Message: "outbox_partition_drop: the transaction is serializable, want read committed"}, "default_transaction_isolation"},
		{pgconn.PgError{Code: "40001", Message: "could not serialize access"}, "default_transaction_isolation"},
		{pgconn.PgError{Code: "23505", TableName: "outbox_p1", ConstraintName: "outbox_p1_pkey"}, "setval"},
		{pgconn.PgError{Code: "23505", TableName: "other", ConstraintName: "other_pkey"}, ""},
		{pgconn.PgError{Code: "55000", Hint: "Call it at a quiet hour."}, "Call it at a quiet hour."},
		{pgconn.PgError{Code: "XX000"}, ""},
	} {
		if got := cureOf(&c.err); c.want == "" {
			require.Empty(t, got, c.err)
		} else {
			require.Contains(t, got, c.want)
			require.ErrorContains(t, explain(&c.err), c.want)
		}
	}
	for _, code := range []string{"42P01", "42883", "3F000"} {
		require.ErrorIs(t, explain(&pgconn.PgError{Code: code}), ErrNotInstalled)
	}
	other := errors.New("no database's")
	require.Equal(t, other, explain(other))
}

func TestADatabaseThatRefusesIsThere(t *testing.T) {
	t.Parallel()
	for code, refused := range map[string]bool{
		"42501": true, "25006": true, "P0001": true, "53100": true, "57014": true, "42P01": true,
		"57P01": false, "57P03": false, "53300": false, "08006": false, "": false,
	} {
		err := fmt.Errorf("save: %w", &pgconn.PgError{Code: code})
		require.Equal(t, refused, Refused(err), code)
	}
	require.False(t, Refused(errors.New("connection reset")))
	require.True(t, LacksRights(&RightsError{}))
}
