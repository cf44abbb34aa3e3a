package tasks_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/tasks"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
)

func TestMatter(t *testing.T) {
	t.Parallel()
	state := func(code string) error { return fmt.Errorf("work: %w", &pgconn.PgError{Code: code}) }
	for _, c := range []struct {
		err           error
		matter, state string
	}{
		{state("42501"), tasks.Rights, "42501"},
		{&sagasql.RightsError{Cure: []string{"GRANT"}}, tasks.Rights, "42501"},
		{state("42P01"), tasks.Tables, "42P01"},
		{state("25006"), tasks.Database, "25006"},
		{fmt.Errorf("%w: %w", inbox.ErrCircuitOpen, state("HV00N")), tasks.Circuit, "HV00N"},
		{fmt.Errorf("%w: %w", inbox.ErrCircuitOpen, state("42501")), tasks.Rights, "42501"},
		{fmt.Errorf("%w: %w (1 of 1)", inbox.ErrNotReady, participant.ErrAnswersLie), tasks.Relay, ""},
		{&sagapg.SagaError{Err: state("P0001")}, tasks.Row, "P0001"},
		{&sagapg.SagaError{Err: errors.New("the plan is gone")}, tasks.Row, ""},
		{fmt.Errorf("receive from %w: gone", inbox.ErrBroker), tasks.Broker, ""},
		// What is done on the way into a session may fail for the database.
		{fmt.Errorf("open a session with %w: %w", inbox.ErrBroker, state("57P01")), tasks.Database, "57P01"},
		{errors.New("connection refused"), tasks.Database, ""},
	} {
		matter, code := tasks.Matter(c.err)
		require.Equal(t, c.matter, matter, c.err)
		require.Equal(t, c.state, code, c.err)
	}
}

// A daemon is ready when each of its tasks works, and says of the others why not.
func TestReady(t *testing.T) {
	t.Parallel()
	all := tasks.New("test", "one", "two")
	require.EqualError(t, all.Ready(), "one: starting: it has not begun yet\ntwo: starting: it has not begun yet")
	all.Of("one")(nil)
	all.Of("two")(fmt.Errorf("%w is away", inbox.ErrBroker))
	require.EqualError(t, all.Ready(), "two: broker: the broker is away")
	require.NoError(t, all.ReadyBut(tasks.Broker))
	all.Of("two")(nil)
	require.NoError(t, all.Ready())
}
