package orchestrator

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/saga"
)

func TestRepliesLeadASagaToItsEnd(t *testing.T) {
	b := setup(t)
	ids := b.start(2)
	require.Empty(t, b.handle(
		b.answer(ids[0], "hotel", saga.Request, saga.OutcomeSucceeded),
		b.answer(ids[1], "hotel", saga.Request, saga.OutcomeSucceeded)))
	require.Empty(t, b.handle(
		b.answer(ids[0], "flight", saga.Request, saga.OutcomeSucceeded),
		b.answer(ids[1], "flight", saga.Request, saga.OutcomeFailed)))
	require.Equal(t, "COMPLETED ", b.status(ids[0]))
	require.Equal(t, "ABORTING CANCEL hotel 1", b.status(ids[1]))
	require.Empty(t, b.handle(b.answer(ids[1], "hotel", saga.Cancel, saga.OutcomeCompensated)))
	require.Equal(t, "ABORTED ", b.status(ids[1]))
	require.Equal(t, 2, b.count(`SELECT count(*) FROM outbox WHERE exchange = 'saga.events' AND routing_key IN ('trips.trip.completed', 'trips.trip.aborted')`))
	b.sound()
}

// Replies to one saga in one batch build on one another, in their order.
func TestSeveralRepliesToOneSaga(t *testing.T) {
	b := setup(t)
	id := b.start(1)[0]
	hotel := b.answer(id, "hotel", saga.Request, saga.OutcomeSucceeded)
	require.Empty(t, b.handle(hotel, hotel,
		b.answer(id, "flight", saga.Request, saga.OutcomeFailed), hotel,
		b.answer(id, "hotel", saga.Cancel, saga.OutcomeCompensated)))
	require.Equal(t, "ABORTED ", b.status(id))
	require.Equal(t, 6, b.count(`SELECT version FROM saga`))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga_history WHERE disposition = 'duplicate'`))
	b.sound()
}

// What cannot be applied is set aside; its neighbours are applied.
func TestPoisonInTheMiddleOfABatch(t *testing.T) {
	b := setup(t)
	ids := b.start(2)
	garbage := inbox.Delivery{MessageID: "x", Body: []byte("\xff")}
	nul := b.answer(ids[0], "hotel", saga.Request, saga.OutcomeSucceeded)
	nul.Body = []byte(`{"text": "\u0000"}`)
	stranger := b.answer(saga.ID(uuid.New()), "hotel", saga.Request, saga.OutcomeSucceeded)
	early := b.answer(ids[1], "flight", saga.Request, saga.OutcomeSucceeded)

	rejected := reasons(b.handle(
		b.answer(ids[0], "hotel", saga.Request, saga.OutcomeSucceeded),
		garbage, nul, stranger, early,
		b.answer(ids[1], "hotel", saga.Request, saga.OutcomeSucceeded)))
	require.Len(t, rejected, 4)
	require.Contains(t, rejected[1], "not a reply: ")
	require.Contains(t, rejected[2], "not a reply: ")
	require.Equal(t, "unknown saga", rejected[3])
	require.Equal(t, "the step was never requested", rejected[4])

	require.Equal(t, "STARTED REQUEST flight 1", b.status(ids[0]))
	require.Equal(t, "STARTED REQUEST flight 1", b.status(ids[1]))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga_history WHERE saga_id = $1 AND disposition = 'quarantined'`, uuid.UUID(ids[1])))
	b.sound()
}

func TestBatchOfNothingButPoison(t *testing.T) {
	b := setup(t)
	require.Len(t, b.handle(inbox.Delivery{}, inbox.Delivery{}), 2)
}

// A finished saga stays finished, and remembers what came late.
func TestLateReplyToAFinishedSaga(t *testing.T) {
	b := setup(t)
	id := b.start(1)[0]
	hotel, flight := b.answer(id, "hotel", saga.Request, saga.OutcomeSucceeded), b.answer(id, "flight", saga.Request, saga.OutcomeSucceeded)
	b.handle(hotel, flight)
	sent := b.count(`SELECT count(*) FROM outbox`)
	require.Empty(t, b.handle(hotel, b.answer(id, "flight", saga.Request, saga.OutcomeFailed), b.answer(id, "hotel", saga.Cancel, saga.OutcomeCompensated)))
	require.Equal(t, "COMPLETED ", b.status(id))
	require.Equal(t, sent, b.count(`SELECT count(*) FROM outbox`))
	require.Equal(t, 3, b.count(`SELECT count(*) FROM saga_history WHERE disposition = 'late'`))
	b.sound()
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := New(Config{})
	require.ErrorContains(t, err, "Config.DB")
}
