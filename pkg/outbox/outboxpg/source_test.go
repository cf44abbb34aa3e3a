package outboxpg

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	sagasql "go.example/saga/sql"
)

// The records of a service's outbox bear its name, those of no service's none, and one
// whose name the outbox's owner may not read is published all the same.
func TestRecordsBearTheServicesName(t *testing.T) {
	b := setup(t)
	service := func() string {
		t.Helper()
		b.insert(b.pool, "a", "a message")
		tenure := b.acquire("relay")
		page, err := tenure.Read(b.ctx, tenure.Position(), 10)
		require.NoError(t, err)
		require.NotEmpty(t, page.Records)
		for _, r := range page.Records {
			require.Equal(t, page.Records[0].Service, r.Service)
			byID, err := b.log.readByID(b.ctx, []int64{r.Position})
			require.NoError(t, err)
			require.Equal(t, r.Service, byID[0].Service)
		}
		return page.Records[0].Service
	}
	require.Empty(t, service(), "without the table")
	require.NoError(t, sagasql.Up(b.ctx, b.pool.Config().ConnString(), "", sagasql.Identity))
	require.Empty(t, service(), "without a name")
	_, err := sagasql.NameService(b.ctx, b.pool, "", "trips")
	require.NoError(t, err)
	require.Equal(t, "trips", service())
	role, _ := testenv.Login(t, b.pool)
	b.exec(`ALTER FUNCTION public.outbox_service() OWNER TO ` + role)
	require.Empty(t, service(), "without the right")
}
