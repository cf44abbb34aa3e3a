package httpapi_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/httpapi"
)

func TestTransient(t *testing.T) {
	t.Parallel()
	for want, codes := range map[bool][]string{
		true: {
			"08000", "08003", "08006", "08P01", "25006", "28000", "28P01", "3D000", "3F000",
			"40001", "40003", "40P01", "42501", "42703", "42883", "42P01",
			"53000", "53100", "53200", "53300", "55006", "55P03", "57014", "57P01", "57P02", "57P03", "58030",
		},
		false: {"22001", "23505", "54000", "0A000", "25P02", "55000", "42804", "P0001", "XX000", "", "4000"},
	} {
		for _, code := range codes {
			err := fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code})
			require.Equal(t, want, httpapi.Transient(err), "SQLSTATE %q", code)
		}
	}
	require.False(t, httpapi.Transient(errors.New("not of the database")))
}
