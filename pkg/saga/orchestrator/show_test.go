package orchestrator

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox/quarantine"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// aside sets n messages aside, which name the saga by some of their parts.
func (b *bench) aside(n int, state quarantine.State, properties, headers string) {
	b.Helper()
	b.exec(`INSERT INTO inbox_quarantine (consumer, queue, message_id, state, code, reason, exchange, routing_key, properties, headers, body, message_sha256, retry_at, handled_at, handled_by)
		SELECT 'replies', 'q', $1::text || $3::text || n, $1, 'undecodable', 'why', '', 'q', $2::jsonb, $3::jsonb, '', '\x00',
		       CASE WHEN $1 = 'held' THEN now() END, CASE WHEN $1 IN ('retried', 'discarded') THEN now() END, 'ada'
		FROM generate_series(1, $4::integer) AS n`, state, properties, headers, n)
}

// Whatever names the saga finds what was set aside of it; the list is bounded and says so.
func TestShowFindsWhatWasSetAside(t *testing.T) {
	b := setup(t)
	ids := b.start(2)
	id, other := uuid.UUID(ids[0]).String(), uuid.UUID(ids[1]).String()
	e := b.engine()
	show := func() SetAside {
		story, err := e.Show(b.ctx, ids[0], 10)
		require.NoError(t, err)
		return story.SetAside
	}
	require.Equal(t, SetAside{Messages: []quarantine.Message{}}, show())
	b.aside(1, quarantine.Held, `{"correlation_id": "`+id+`", "type": "hotel.REQUEST.succeeded"}`, `{}`)
	b.aside(1, quarantine.Dead, `{}`, `{"cloudEvents_sagaid": "`+id+`"}`)
	b.aside(1, quarantine.Discarded, `{}`, `{"cloudEvents_sagaid": {"int32": 5}, "cloudEvents_sagakey": "`+id+`/hotel/REQUEST"}`)
	b.aside(1, quarantine.Retried, `{"correlation_id": "`+id+`"}`, `{}`)
	b.aside(1, quarantine.Dead, `{"correlation_id": "`+other+`"}`, `{}`)
	found := show()
	require.EqualValues(t, 3, found.Total)
	var states []quarantine.State
	for _, m := range found.Messages {
		states = append(states, m.State)
	}
	require.Equal(t, []quarantine.State{quarantine.Dead, quarantine.Held, quarantine.Discarded}, states, "the newest first of those that wait, then of the others")
	require.Equal(t, "hotel.REQUEST.succeeded", found.Messages[1].Type)

	b.aside(10_000, quarantine.Dead, `{}`, `{"cloudEvents_sagaid": "`+id+`", "n": "5"}`)
	found = show()
	require.EqualValues(t, 10_003, found.Total)
	require.Len(t, found.Messages, shownAside)
}

// Who may see sagas and not the quarantine sees the saga, and is told what it lacks.
func TestShowWithoutTheQuarantine(t *testing.T) {
	b := setup(t)
	id := b.start(1)[0]
	e, role := b.asRole(sagapg.RightsToLook)
	story, err := e.Show(b.ctx, id, 10)
	require.NoError(t, err)
	require.Len(t, story.Waits, 1)
	require.Contains(t, story.SetAside.Unknown, "GRANT SELECT, UPDATE ON public.inbox_quarantine TO "+role)
	require.NotNil(t, story.SetAside.Messages)
	_, err = e.Show(b.ctx, saga.ID{7}, 10)
	require.ErrorIs(t, err, sagapg.ErrNoSaga)
}
