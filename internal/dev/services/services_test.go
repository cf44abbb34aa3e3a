package services

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// fake is a way that brings nothing but an error, or a server.
type fake struct {
	label string
	err   error
}

func (f fake) name() string { return f.label }

func (f fake) postgres(context.Context, bool) (Postgres, error) {
	return Postgres{Way: f.label}, f.err
}

func (f fake) broker(context.Context, bool) (Broker, error) { return Broker{Way: f.label}, f.err }

func tryPostgres(a attempt) (Postgres, error) { return a.postgres(context.Background(), a.start) }

func TestFirstWorkingWayWins(t *testing.T) {
	t.Parallel()
	no := fake{"no", errors.New("not here")}
	found, err := first([]attempt{{no, false}, {fake{"yes", nil}, false}, {fake{"later", nil}, false}}, "PostgreSQL", tryPostgres)
	require.NoError(t, err)
	require.Equal(t, "yes", found.Way)
}

func TestMissingTellsEveryReasonOnceAndWhatHelps(t *testing.T) {
	t.Parallel()
	one, two := fake{"running", errors.New("connection refused")}, fake{"private", errors.New("needs root")}
	_, err := first([]attempt{{one, false}, {two, false}, {two, true}}, "PostgreSQL", tryPostgres)
	require.EqualError(t, err, `there is no PostgreSQL to work with (PostgreSQL 15 and RabbitMQ 3.10 or later). Tried:
  running      connection refused
  private      needs root
One of these brings it; then run the same command again:
  sudo make services                                    (Debian, Ubuntu: from the distribution's packages)
  start the docker engine                               (with docker compose; make does the rest)
  export DATABASE_URL=postgres://USER:PASSWORD@HOST:5432/postgres AMQP_URL=amqp://USER:PASSWORD@HOST:5672/
`)
}

func TestFinalErrorEndsTheSearch(t *testing.T) {
	t.Parallel()
	wrong := fake{"environment", final{errors.New("connection refused")}}
	_, err := first([]attempt{{wrong, false}, {fake{"running", nil}, false}}, "PostgreSQL", tryPostgres)
	require.EqualError(t, err, "PostgreSQL from the environment: connection refused")
}

func TestPermittedKeepsOneWay(t *testing.T) {
	t.Parallel()
	all := []attempt{{fake{label: "environment"}, false}, {fake{label: "private"}, false}, {fake{label: "compose"}, true}, {fake{label: "private"}, true}}
	for only, want := range map[string]int{"": 4, "auto": 4, "environment": 1, "private": 2} {
		kept, err := permitted(all, only)
		require.NoError(t, err)
		require.Len(t, kept, want, only)
	}
	_, err := permitted(all, "nonsense")
	require.ErrorContains(t, err, "use auto, environment, running, compose or private")
}

func TestAddressThatFailsIsNotQuoted(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://me:topsecret@127.0.0.1:1/x")
	t.Setenv("AMQP_URL", "amqp://me:topsecret@127.0.0.1:1/x")
	_, postgresErr := environment{}.postgres(t.Context(), false)
	_, brokerErr := environment{}.broker(t.Context(), false)
	t.Setenv("DATABASE_URL", "postgres://me:topsecret@127.0.0.1:port/x")
	t.Setenv("AMQP_URL", "amqp://me:topsecret@127.0.0.1:port/x")
	_, malformed := environment{}.postgres(t.Context(), false)
	_, malformedBroker := environment{}.broker(t.Context(), false)
	for _, err := range []error{postgresErr, brokerErr, malformed, malformedBroker} {
		require.ErrorAs(t, err, &final{})
		require.NotContains(t, err.Error(), "topsecret")
	}
}

func TestOlder(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"3.9.27": true, "2.99": true, "3": true, "3.10.0": false, "3.13.7": false, "4.1.0-rc.1": false, "": false, "next": false,
	} {
		require.Equal(t, want, older(version, minRabbit), version)
	}
}

func TestOnlyOurNamesAreTouched(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	require.ErrorContains(t, Postgres{}.CreateDatabase(ctx, "customers", ""), "only databases named saga_*")
	_, err := Broker{}.ChangeVhosts(ctx, nil, []string{"/"})
	require.ErrorContains(t, err, "only virtual hosts named saga_*")
	_, err = erlangList([]string{`saga_">>]), halt().`})
	require.ErrorContains(t, err, "is not plain")
}
