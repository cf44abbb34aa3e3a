package fault

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The table of the sagas refuses every change, with a code that stands in no list of
// outages: replies wait for it, and none is set aside.
func TestSagasRefuseEveryChange(t *testing.T) {
	t.Parallel()
	s, _ := launch(t)
	g := arrive(t, s, many)
	g.awaitPlaced(t, many/3)
	_, err := s.Reservation.Exec(t.Context(), `
		CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'a fault of the database' USING ERRCODE = 'HV00N'; END $$;
		CREATE TRIGGER a_fault BEFORE UPDATE ON saga FOR EACH ROW EXECUTE FUNCTION fault()`)
	require.NoError(t, err)
	start := time.Now()
	ids := g.served(t)
	require.Eventually(t, func() bool {
		err := s.Health(t.Context(), "orchestrator")
		return time.Since(start) > 5*time.Second && err != nil &&
			strings.Contains(err.Error(), "circuit") && strings.Contains(err.Error(), "HV00N")
	}, patience, 20*time.Millisecond)
	_, err = s.Reservation.Exec(context.WithoutCancel(t.Context()), `DROP TRIGGER a_fault ON saga`)
	require.NoError(t, err)
	recovered(t, s, ids, time.Now())
}
