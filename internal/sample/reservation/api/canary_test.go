package api_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// The number of a card reaches no row of any table, as it is, hashed or in
// pieces, no log line and no answer.
func TestCardNumberIsNowhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := fmt.Sprintf(valid, canary)
	answers := ""
	for _, res := range []*httptest.ResponseRecorder{
		b.post(body), b.post(body, "Idempotency-Key", "k"), b.post(body, "Idempotency-Key", "k"),
		b.post(with(t, "roomId", "3"), "Idempotency-Key", "k"), b.post(body + "x"), b.post(with(t, "extra", `"`+canary+`"`)),
	} {
		answers += res.Body.String() + fmt.Sprint(res.Header())
	}
	for _, text := range []string{b.post(body).Body.String(), b.post(body + "x").Body.String(), answers, b.log.String()} {
		require.NotContains(t, text, canary)
	}
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(canary)))
	ctx := context.Background()
	rows, _ := b.db.Query(ctx, `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Contains(t, tables, "public.reservation")
	seen := 0
	for _, table := range tables {
		rows, _ := b.db.Query(ctx, `SELECT t::text FROM `+table+` AS t`)
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		for _, text := range texts {
			seen++
			require.NotContains(t, text, canary, table)
			require.NotContains(t, text, canary[:10], table)
			require.NotContains(t, text, hash, table)
		}
	}
	require.Greater(t, seen, 8)
}
