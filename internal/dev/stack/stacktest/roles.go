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

// StartSharedAsRoles is [StartAsRoles] with a schema for each service in one database.
func StartSharedAsRoles(t *testing.T) (*Stack, *testenv.Roles) {
	t.Helper()
	roles := testenv.DocumentedRoles(t)
	s, settings := prepareShared(t, stack.SharedSchema)
	settings.As = func(program, url string) string { return roles.As(t, url, "saga_"+program) }
	roles.Run(t, s.Hotel, "Several services in one database", "the sample's hotel")
	for _, service := range servicesOf(s) {
		migrateAs(t, roles.As(t, settings.Reservation, "saga_owner"), settings, service.program, "DATABASE_SCHEMA="+service.program)
		for _, section := range append(service.sections, "The relay") {
			roles.RunIn(t, service.db, service.program, "saga_"+service.program, section)
		}
	}
	roles.RunIn(t, s.Reservation, "reservation", "saga_reservation", "The reservation service", "expand=saga")
	roles.RunIn(t, s.Reservation, "reservation", "saga_reservation", "The orchestrator", "definition apply")
	s.launch(t, settings)
	require.NoError(t, s.Ready(t.Context()))
	return s, roles
}

// serviceRoles is what the page has for a service.
type serviceRoles struct {
	program  string
	db       *pgxpool.Pool
	owner    []string // what only the owner of this database needs
	sections []string
}

func servicesOf(s *Stack) []serviceRoles {
	return []serviceRoles{
		{"reservation", s.Reservation, nil, []string{"A service that starts sagas", "A listener", "The reservation service"}},
		{"hotel", s.Hotel, []string{"the sample's hotel"}, []string{"A participant", "The hotel"}},
		{"payment", s.Payment, nil, []string{"A participant", "The payment service"}},
	}
}

func migrateAs(t *testing.T, url string, settings stack.Settings, program string, also ...string) {
	t.Helper()
	migrate := exec.CommandContext(t.Context(), filepath.Join(settings.BinDir, program), "migrate")
	migrate.Env = append(also, "DATABASE_URL="+url)
	out, err := migrate.CombinedOutput()
	require.NoError(t, err, string(out))
}

// grant makes the tables as their owner, and gives the roles their rights.
func (s *Stack) grant(t *testing.T, roles *testenv.Roles, settings stack.Settings) {
	t.Helper()
	for _, service := range servicesOf(s) {
		db := service.db
		roles.Run(t, db, "The owner", service.owner...)
		migrateAs(t, roles.URL(t, db, "saga_owner"), settings, service.program)
		for _, section := range append(service.sections, "The relay") {
			roles.Run(t, db, section)
		}
	}
	roles.Run(t, s.Reservation, "The reservation service", "expand=saga")
	roles.Run(t, s.Reservation, "The orchestrator", "definition apply")
}
