package stacktest

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/testenv"
)

// StartShared is [Start] with one database, which the services share in that form. The stack's
// pools find a service's tables by their names alone, as those of [Start] do.
func StartShared(t *testing.T, form stack.Form) *Stack {
	t.Helper()
	s, settings := prepareShared(t, form)
	s.launch(t, settings)
	require.NoError(t, s.Ready(t.Context()))
	return s
}

func prepareShared(t *testing.T, form stack.Form) (*Stack, stack.Settings) {
	t.Helper()
	testenv.Connections(t, 40) // the daemons' and the three pools'
	url := testenv.Database(t).Config().ConnString()
	pool := func(service string) *pgxpool.Pool {
		config, err := pgxpool.ParseConfig(url)
		require.NoError(t, err)
		config.MaxConns, config.ConnConfig.RuntimeParams["search_path"] = 6, form.Schema(service)
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		return pool
	}
	s := &Stack{Reservation: pool("reservation"), Hotel: pool("hotel"), Payment: pool("payment"), AMQP: testenv.Vhost(t)}
	settings := s.prepare(t)
	settings.Form = form
	return s, settings
}
