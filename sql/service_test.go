package sagasql_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// A schema is named once. Several may do so at a time, and are told of one id.
func TestASchemaHasOneService(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t)
	require.NoError(t, sagasql.Up(t.Context(), db.Config().ConnString(), "", sagasql.Inbox))
	_, err := sagasql.LoadService(t.Context(), db, "", "")
	require.ErrorIs(t, err, sagasql.ErrNoService)
	_, err = sagasql.NameService(t.Context(), db, "", "no name")
	require.ErrorContains(t, err, `"no name" is no name of a service`)

	named := make([]sagasql.Service, 4)
	var together errgroup.Group
	for i := range named {
		together.Go(func() (err error) { named[i], err = sagasql.NameService(t.Context(), db, "", "hotel"); return err })
	}
	require.NoError(t, together.Wait())
	for _, service := range named {
		require.Equal(t, named[0], service)
		require.NotEqual(t, uuid.Nil, service.ID)
	}
	_, err = sagasql.NameService(t.Context(), db, "", "payment")
	require.ErrorIs(t, err, sagasql.ErrOtherService)
	require.ErrorContains(t, err, `this one is "hotel"'s, not "payment"'s`)
	_, err = db.Exec(t.Context(), `INSERT INTO saga_service (singleton, name) VALUES (false, 'second')`)
	require.ErrorContains(t, err, "saga_service_is_one")
	_, err = db.Exec(t.Context(), `UPDATE saga_service SET name = 'a.b'`)
	require.ErrorContains(t, err, "saga_service_name_fits")
}

// What a definition can name as a destination is what a service can be called.
func TestDestinationsAreNamesOfServices(t *testing.T) {
	t.Parallel()
	policy := saga.Policy{Timeout: 1e9, RetryFor: 1e9, Retry: saga.Retry{Initial: 1e9, Factor: 1, Max: 1e9, Attempts: 1}}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.StringMatching(`[A-Za-z0-9_.-]{0,102}`), rapid.String()).Draw(t, "name")
		def := saga.Definition{Name: "d", Version: 1, Mode: saga.Sequence, Steps: []saga.StepDefinition{{
			Name: "s", Kind: saga.Command, Type: saga.Compensatable, Destination: name, Request: policy, Cancel: policy,
		}}}
		require.Equal(t, sagasql.CheckServiceName(name) == nil, def.Validate() == nil, "%q: %v", name, def.Validate())
	})
}
