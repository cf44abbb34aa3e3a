package orchestrator

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// startWith starts a saga whose payload leaves room bytes for outputs.
func (b *bench) startWith(room int) (id saga.ID, err error) {
	b.Helper()
	const around = len(`{"outputs": {}, "payload": {"pad": ""}}`)
	r := sagapg.StartRequest{
		BusinessKey: strings.Repeat("k", protocol.MaxText),
		Payload:     jsonmap.JSONMap{"pad": strings.Repeat("x", protocol.MaxContent-around-room)},
	}
	err = pgx.BeginFunc(b.ctx, b.db, func(tx pgx.Tx) (err error) {
		id, _, err = b.store.Start(b.ctx, tx, plan(), r)
		return err
	})
	return id, err
}

// A saga that carries as much as it may, and is refused at the greatest length, ends.
func TestTheLargestSagaEnds(t *testing.T) {
	b := setup(t)
	_, err := b.startWith(-1)
	require.ErrorContains(t, err, "payload and outputs")
	require.Zero(t, b.count(`SELECT count(*) FROM saga`))
	id, err := b.startWith(0)
	require.NoError(t, err)
	b.handle(b.answer(id, "hotel", saga.Request, saga.OutcomeSucceeded))
	refusal := b.answer(id, "flight", saga.Request, saga.OutcomeFailed)
	refusal.Body = []byte(`{"title": "No", "detail": "` + strings.Repeat("x", protocol.MaxBody-100) + `"}`)
	b.handle(refusal)
	b.handle(b.answer(id, "hotel", saga.Cancel, saga.OutcomeCompensated))
	require.Equal(t, "ABORTED ", b.status(id))
	b.sound()
}

// An output that no later command could carry is not applied; the saga is timed as
// before and goes back when its attempts are spent.
func TestAnOutputThatIsTooLargeTurnsTheSagaBack(t *testing.T) {
	b := setup(t)
	id, err := b.startWith(1000)
	require.NoError(t, err)
	large := b.answer(id, "hotel", saga.Request, saga.OutcomeSucceeded)
	large.Body = []byte(`{"pad": "` + strings.Repeat("x", 2000) + `"}`)
	err = pgx.BeginFunc(b.ctx, b.db, func(tx pgx.Tx) error {
		_, err := b.engine().Handle(b.ctx, tx, deliveries(large))
		return err
	})
	require.ErrorContains(t, err, "payload and outputs")
	for range plan().Steps[0].Request.Retry.Attempts {
		b.overdue()
		_, err := b.sweeper().fire(b.ctx, nil)
		require.NoError(t, err)
	}
	require.Equal(t, "ABORTING CANCEL hotel 1", b.status(id))
	b.handle(b.answer(id, "hotel", saga.Cancel, saga.OutcomeCompensated))
	require.Equal(t, "ABORTED ", b.status(id))
	b.sound()
}
