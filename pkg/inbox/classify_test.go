package inbox_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	for class, codes := range map[inbox.Class][]string{
		inbox.Transient: {
			"08000", "08003", "08006", "08P01", "25006", "28000", "28P01", "3D000", "3F000",
			"40001", "40003", "40P01", "42501", "42703", "42883", "42P01",
			"53000", "53100", "53200", "53300", "55006", "55P03", "57014", "57P01", "57P02", "57P03", "58030",
		},
		inbox.Permanent: {"22001", "22003", "22021", "22P02", "22P05", "23502", "23503", "23505", "23514", "23P01", "54000", "54001"},
		inbox.Unknown:   {"0A000", "21000", "25P02", "55000", "42601", "42804", "P0001", "XX000", "", "4000"},
	} {
		for _, code := range codes {
			err := fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code})
			require.Equal(t, class, inbox.Classify(err), "SQLSTATE %q", code)
		}
	}
	require.Equal(t, inbox.Unknown, inbox.Classify(errors.New("not of the database")))
	require.Equal(t, "transient", inbox.Transient.String())
}
