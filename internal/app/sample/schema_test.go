package sample_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app"
	"go.example/saga/internal/app/sample"
	"go.example/saga/internal/testenv"
	sagasql "go.example/saga/sql"
)

// A schema belongs to one service, in a database that several share as well. Who is given
// another's, or a name that is none, does not begin and changes nothing.
func TestTheSchemaOfAnotherService(t *testing.T) {
	t.Parallel()
	db, vhost := testenv.Database(t), testenv.Vhost(t)
	s := handlers(settings(t, db, vhost))
	require.NoError(t, app.Migrate(t.Context(), s.DatabaseAddress, "hotel", "hotel", sample.ParticipantLines(sagasql.Hotel)...))
	s.Service, s.DatabaseSchema = "payment", "hotel"
	require.NoError(t, s.Validate())
	err := paymentService.Serve(t.Context(), s)
	require.ErrorIs(t, err, sagasql.ErrOtherService)
	require.ErrorContains(t, err, "hotel")
	require.ErrorContains(t, err, "payment")
	var name string
	require.NoError(t, db.QueryRow(t.Context(), `SELECT name FROM hotel.saga_service`).Scan(&name))
	require.Equal(t, "hotel", name)
	var tables int
	require.NoError(t, db.QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE tablename = 'ledger'`).Scan(&tables))
	require.Zero(t, tables, "none of its tables was made there")

	s.DatabaseSchema = "Payment"
	require.ErrorContains(t, s.Validate(), `DATABASE_SCHEMA: schema name "Payment"`)
}

// Facts are told apart by the service's name, which several services as one do not have.
func TestSeveralServicesAsOneHearNoFacts(t *testing.T) {
	t.Parallel()
	s := handlers(settings(t, testenv.Database(t), testenv.Vhost(t)))
	s.Choreography = true
	err := sample.Together("both", sample.Hotel(), sample.Payment()).Serve(t.Context(), s)
	require.ErrorContains(t, err, "CHOREOGRAPHY: both is several services under one name")
}
