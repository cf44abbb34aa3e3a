package stacktest

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/testenv"
)

// StartAsRoles is [Start] with each daemon as its role of docs/roles.md, under the rights
// that are written there and no others. The stack's own pools have all rights.
func StartAsRoles(t *testing.T) (*Stack, *testenv.Roles) {
	t.Helper()
	roles := testenv.DocumentedRoles(t)
	s, settings := prepare(t)
	settings.As = func(program, url string) string { return roles.As(t, url, "saga_"+program) }
	s.grant(t, roles, settings)
	s.launch(t, settings)
	require.NoError(t, s.Ready(t.Context()))
	return s, roles
}

// grant makes the tables as their owner, and gives the roles their rights.
func (s *Stack) grant(t *testing.T, roles *testenv.Roles, settings stack.Settings) {
	t.Helper()
	for _, service := range []struct {
		program  string
		db       *pgxpool.Pool
		owner    []string // what only the owner of this database needs
		sections []string
	}{
		{"reservation", s.Reservation, nil, []string{"A service that starts sagas", "A listener", "The reservation service"}},
		{"hotel", s.Hotel, []string{"the sample's hotel"}, []string{"A participant", "The hotel"}},
		{"payment", s.Payment, nil, []string{"A participant", "The payment service"}},
	} {
		db := service.db
		roles.Run(t, db, "The owner", service.owner...)
		migrate := exec.CommandContext(t.Context(), filepath.Join(settings.BinDir, service.program), "migrate")
		migrate.Env = []string{"DATABASE_URL=" + roles.URL(t, db, "saga_owner")}
		out, err := migrate.CombinedOutput()
		require.NoError(t, err, string(out))
		for _, section := range append(service.sections, "The relay") {
			roles.Run(t, db, section)
		}
	}
	roles.Run(t, s.Reservation, "The reservation service", "expand=saga")
	roles.Run(t, s.Reservation, "The orchestrator", "definition apply")
}
