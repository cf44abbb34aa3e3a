package orchestrator

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
)

// desk is an operator with a database.
type desk struct {
	*testing.T
	ctx    context.Context
	db     *pgxpool.Pool
	engine *Engine
}

func newDesk(t *testing.T, defs ...saga.Definition) *desk {
	t.Parallel()
	d := &desk{T: t, ctx: t.Context(), db: testenv.Database(t, sagasql.Outbox, sagasql.Saga)}
	var err error
	d.engine, err = New(Config{DB: d.db, Store: sagapg.New("", testenv.Service)})
	require.NoError(t, err)
	for _, def := range defs {
		_, err := d.engine.Store.ApplyDefinition(d.ctx, d.db, def)
		require.NoError(t, err)
	}
	return d
}

// bring starts a saga and leads it somewhere; each timer comes when it is due.
func (d *desk) bring(def saga.Definition, events ...saga.Event) saga.ID {
	d.Helper()
	var id saga.ID
	require.NoError(d, pgx.BeginFunc(d.ctx, d.db, func(tx pgx.Tx) (err error) {
		id, _, err = d.engine.Store.Start(d.ctx, tx, def, sagapg.StartRequest{Payload: jsonmap.JSONMap{"room": 1}})
		require.NoError(d, err)
		loaded, now, err := d.engine.Store.Load(d.ctx, tx, []saga.ID{id})
		require.NoError(d, err)
		var change sagapg.Change
		for state := loaded[0].State; len(events) > 0; events = events[1:] {
			if _, timer := events[0].(saga.Timer); timer {
				now = state.WakeAt()
			}
			t := saga.Step(def, state, events[0], now)
			require.True(d, TookEffect(t.Entry), "%s: %s", t.Entry.Kind, t.Entry.Detail)
			state, change = t.Next, append(change, t)
		}
		return d.engine.Store.Save(d.ctx, tx, []sagapg.Change{change})
	}))
	return id
}

func (d *desk) text(query string, args ...any) (text string) {
	d.Helper()
	require.NoError(d, d.db.QueryRow(d.ctx, query, args...).Scan(&text))
	return text
}

// stands is a line that says where the saga stands.
func (d *desk) stands(id saga.ID) string {
	d.Helper()
	return d.text(`SELECT concat_ws(' | ', o.status, o.steps, o.waits_for, o.reason) FROM saga_overview o WHERE id = $1`, uuid.UUID(id))
}

// lastEntry is the saga's last history row.
func (d *desk) lastEntry(id saga.ID) string {
	d.Helper()
	return d.text(`SELECT concat_ws(' ', h.disposition || ':', replace(h.detail, E'\n', ' '), nullif(h.sent, '{}')::text) FROM saga_history h
		WHERE saga_id = $1 ORDER BY seq DESC LIMIT 1`, uuid.UUID(id))
}

// Every verb in every situation does what it should, or is refused with the reason; in
// either case the history says who it was. The file is the table of all of them.
func TestEveryVerbInEverySituation(t *testing.T) {
	defs := []saga.Definition{straight, abreast, approved, surveyed, delayed, tried, judged}
	d := newDesk(t, defs...)
	var table strings.Builder
	for _, s := range situations {
		shown := false
		for _, event := range everyEvent(s.def) {
			id := d.bring(s.def, s.events...)
			before := d.stands(id)
			if !shown {
				fmt.Fprintf(&table, "%s: %s\n", s.name, before)
				shown = true
			}
			transition, err := d.engine.Act(d.ctx, id, event)
			require.NoError(t, err, "%s: %v", s.name, event)
			fmt.Fprintf(&table, "  %-7s %s\n", called(event), d.lastEntry(id))
			after := d.stands(id)
			if transition.Entry.Disposition == saga.Refused {
				require.False(t, TookEffect(transition.Entry), "%s: %s", s.name, transition.Entry.Detail)
				require.Equal(t, before, after, "what is refused changes nothing")
			}
			if after != before {
				require.True(t, TookEffect(transition.Entry), "%s: %s", s.name, transition.Entry.Detail)
				fmt.Fprintf(&table, "          %s\n", after)
			}
			require.Equal(t, "grace "+string(transition.Entry.Kind), d.text(
				`SELECT who || ' ' || kind FROM saga_history WHERE saga_id = $1 ORDER BY seq DESC LIMIT 1`, uuid.UUID(id)))
		}
	}
	golden(t, "acts.txt", table.String())
}

// called is what the table calls the event.
func called(event saga.Event) string {
	switch e := event.(type) {
	case saga.Action:
		return string(e.Verb)
	case saga.Signalled:
		if e.Refused {
			return "refusal"
		}
	}
	return "signal"
}

// everyEvent is what an operator can tell a saga of the plan.
func everyEvent(def saga.Definition) (events []saga.Event) {
	for _, verb := range Verbs {
		events = append(events, saga.Action{Verb: verb, Who: "grace", Reason: "because", Output: outputOf(verb)})
	}
	step := def.Steps[0].Name
	for _, s := range def.Steps {
		if s.Kind == saga.Signal {
			step = s.Name
		}
	}
	return append(events,
		saga.Signalled{Step: step, Who: "grace", Reason: "because"},
		saga.Signalled{Step: step, Who: "grace", Reason: "because", Refused: true})
}

func outputOf(verb saga.Verb) jsonmap.JSONMap {
	if verb == saga.Skip {
		return jsonmap.JSONMap{"by": "hand"}
	}
	return nil
}

// golden compares with testdata/<name>; UPDATE_GOLDEN=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}
