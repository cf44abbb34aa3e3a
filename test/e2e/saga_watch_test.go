package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/protocol"
)

// patience is how long a scenario waits for what should come at once.
const patience = 60 * time.Second

// until waits for the condition, which may end the test.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			require.FailNow(t, "waited in vain for "+what)
		}
	}
}

// ending is how a scenario ends.
type ending struct {
	// steps are "hotel COMPENSATED, payment FAILED": those that were begun, in the
	// order of the definition.
	steps string
	// deeds are "hotel REQUEST CANCEL, payment REQUEST": what took effect and stayed
	// committed, by step in the order of their names.
	deeds string
	// events are "PARKED attempts spent" and then, the last, "ABORTED payment refused".
	events []string
	// timeline is the view saga_timeline, a sentence a line.
	timeline string
}

// ends waits for the last of the events, and finds everything as it should be and
// nothing left over anywhere.
func (s *stage) ends(want ending) {
	s.Helper()
	last := want.events[len(want.events)-1]
	until(s.T, "the event "+last, func() bool {
		heard := s.heard()
		return len(heard) > 0 && heard[len(heard)-1] == last
	})
	status, _, _ := strings.Cut(last, " ")
	require.Equal(s, status, s.status())
	require.Equal(s, strings.Split(strings.TrimSpace(want.timeline), "\n"), s.timeline())
	require.Equal(s, want.steps, s.steps())
	require.Equal(s, want.deeds, s.done())
	require.Equal(s, want.events, s.heard())
	for _, db := range []*pgxpool.Pool{s.sagas, s.deeds} {
		require.Zero(s, stacktest.Count(s.T, db, `SELECT count(*) FROM inbox_quarantine`))
		require.Zero(s, stacktest.Count(s.T, db, `SELECT count(*) FROM outbox_parked`))
	}
	dead, err := s.post.channel.QueueDeclarePassive(protocol.DeadQueue(testenv.Service), true, false, false, false, nil)
	require.NoError(s, err)
	require.Zero(s, dead.Messages)
}

// tells waits for a sentence of the timeline.
func (s *stage) tells(sentence string) {
	s.Helper()
	until(s.T, sentence, func() bool { return slices.Contains(s.timeline(), sentence) })
}

func (s *stage) timeline() []string {
	return s.texts(s.sagas, `SELECT sentence FROM saga_timeline WHERE saga_id = $1 ORDER BY seq`)
}

func (s *stage) status() string {
	return strings.Join(s.texts(s.sagas, `SELECT status FROM saga WHERE id = $1`), "")
}

func (s *stage) steps() string {
	var list []string
	for _, step := range s.def.Steps {
		query := `SELECT step_status ->> '` + step.Name + `' FROM saga WHERE id = $1 AND step_status ? '` + step.Name + `'`
		for _, status := range s.texts(s.sagas, query) {
			list = append(list, step.Name+" "+status)
		}
	}
	return strings.Join(list, ", ")
}

func (s *stage) done() string {
	return strings.Join(s.texts(s.deeds, `
		SELECT step || ' ' || string_agg(operation, ' ' ORDER BY seq) FROM deed WHERE saga_id = $1 GROUP BY step ORDER BY step`), ", ")
}

// barrier is what the step's participant remembers.
func (s *stage) barrier(step string) string {
	return strings.Join(s.texts(s.deeds, `SELECT state FROM saga_barrier WHERE saga_id = $1 AND step = '`+step+`'`), "")
}

// texts is what a query says of the saga.
func (s *stage) texts(db *pgxpool.Pool, query string) []string {
	s.Helper()
	rows, err := db.Query(context.WithoutCancel(s.Context()), query, uuid.UUID(s.id)) // also when the test has ended
	require.NoError(s, err)
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(s, err)
	return texts
}

// heard are the saga's events so far, each as its status, who failed how, and why it
// is parked.
func (s *stage) heard() (events []string) {
	for _, l := range s.post.letters(s.def.Name + ".*") {
		if l.Exchange != protocol.ExchangeEvents {
			continue
		}
		var body struct {
			Status, ParkReason string
			Failure            struct{ Step, Class string }
		}
		require.NoError(s, json.Unmarshal(l.Body, &body))
		require.Equal(s, testenv.Service+"."+s.def.Name+"."+strings.ToLower(body.Status), l.RoutingKey)
		events = append(events, strings.Join(strings.Fields(
			body.Status+" "+body.Failure.Step+" "+body.Failure.Class+" "+body.ParkReason), " "))
	}
	return events
}
