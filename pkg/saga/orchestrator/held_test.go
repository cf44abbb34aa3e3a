package orchestrator

import (
	"maps"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// over lets the time of the saga's attempt be over, whatever became of its command.
func (b *bench) over(id saga.ID) {
	b.Helper()
	b.exec(`UPDATE saga SET wake_at = now(), look_at = now(), waiting = jsonb_set(waiting, '{hotel,wake_at}', to_jsonb(now())) WHERE id = $1`, uuid.UUID(id))
}

// look lets the sweeper look at the saga once.
func (b *bench) look(s *sweeper) {
	b.Helper()
	_, err := s.fire(b.ctx, nil)
	require.NoError(b, err)
}

// held is what the saga waits for, as people are told, and how long its history is.
func (b *bench) held(id saga.ID) (waits string, history int) {
	b.Helper()
	require.NoError(b, b.db.QueryRow(b.ctx, `SELECT o.waits_for, s.version FROM saga_overview o JOIN saga s USING (id) WHERE s.id = $1`, uuid.UUID(id)).Scan(&waits, &history))
	return waits, history
}

// waits counts the sagas that are held, as the metric does.
func (b *bench) waits() map[sagapg.Wait]int {
	b.Helper()
	census, err := b.store.Census(b.ctx, b.db)
	require.NoError(b, err)
	held := map[sagapg.Wait]int{}
	for _, c := range census {
		for what, count := range c.Held {
			held[what] += count
		}
	}
	maps.DeleteFunc(held, func(_ sagapg.Wait, count int) bool { return count == 0 })
	return held
}

// No attempt is spent while the command lies in the outbox. The history says once what is
// waited for; the time of the attempt runs when the command is published.
func TestNoAttemptIsSpentOnWhatNeverLeft(t *testing.T) {
	b := setup(t)
	id := b.start(1)[0]
	s := b.sweeper()
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE sent_xact = (SELECT xact FROM outbox)`))

	expect := func(waits string, history int) {
		t.Helper()
		for range 2 {
			b.over(id)
			b.look(s)
			said, entries := b.held(id)
			require.Equal(t, waits, said)
			require.Equal(t, history, entries, "one entry where something changes")
			require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE wake_at BETWEEN now() AND now() + interval '5 seconds' AND look_at = wake_at`))
		}
		require.Equal(t, 1, b.count(`SELECT count(*) FROM saga_stuck WHERE why || '' = $1`, waits[len("REQUEST hotel, attempt 1, "):]))
	}
	expect("REQUEST hotel, attempt 1, waits for a relay: none serves this database", 2)
	require.Equal(t, map[sagapg.Wait]int{sagapg.WaitRelay: 1}, b.waits())

	b.exec(`UPDATE outbox_position SET written_in = outbox_database()`)
	expect("REQUEST hotel, attempt 1, waits for the relay", 3)
	require.Equal(t, map[sagapg.Wait]int{sagapg.WaitRelay: 1}, b.waits())

	b.relayAt()
	b.exec(`INSERT INTO outbox_parked (id, event_id, aggregate_id, exchange, routing_key, state, reason, next_at)
		SELECT id, event_id, aggregate_id, exchange, routing_key, 'retry', 'unroutable', now() FROM outbox`)
	expect("REQUEST hotel, attempt 1, waits behind a parked message: unroutable", 4)
	require.Equal(t, map[sagapg.Wait]int{sagapg.WaitParked: 1}, b.waits())

	b.exec(`DELETE FROM outbox_parked`)
	b.over(id)
	b.look(s)
	waits, history := b.held(id)
	require.Equal(t, "REQUEST hotel, attempt 1", waits)
	require.Equal(t, 5, history)
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE wake_at > now() + interval '50 minutes'`), "its hour runs from now")
	require.Zero(t, b.count(`SELECT count(*) FROM saga_stuck`))
	b.sound()
}

// What was published late has its whole time from then, without a word in the history.
func TestAnAttemptsTimeRunsFromItsPublication(t *testing.T) {
	b := setup(t)
	id := b.start(1)[0]
	b.relayAt()
	s := b.sweeper()
	b.look(s)
	b.over(id)
	b.look(s)
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE version = 1 AND look_at = wake_at AND wake_at > now() + interval '50 minutes'`))
	b.sound()
}

// A command that the relay has given up parks its saga, which goes on with the answer when
// somebody has put it back.
func TestWhatTheRelayGaveUpParksItsSaga(t *testing.T) {
	b := setup(t)
	id := b.start(1)[0]
	b.relayAt()
	b.exec(`INSERT INTO outbox_parked (id, event_id, aggregate_id, exchange, routing_key, state, reason)
		SELECT id, event_id, aggregate_id, exchange, routing_key, 'dead', 'unroutable' FROM outbox`)
	b.over(id)
	b.look(b.sweeper())
	require.Equal(t, "PARKED REQUEST hotel 1", b.status(id))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE park_reason = 'undeliverable'`))
	b.handle(b.answer(id, "hotel", saga.Request, saga.OutcomeSucceeded))
	require.Equal(t, "STARTED REQUEST flight 1", b.status(id))
	b.sound()
}

// Where the numbers of transactions mean nothing, a command counts as published.
func TestWhatCannotBeJudgedCountsAsPublished(t *testing.T) {
	b := setup(t)
	for what, change := range map[string]string{
		"the saga is older than the column": `UPDATE saga SET sent_xact = NULL`,
		"a number from the future":          `UPDATE saga SET sent_xact = '9000000000000'`,
		"a restored position":               `UPDATE outbox_position SET settled = '9000000000000:9000000000000:', written_in = 7`,
	} {
		id := b.start(1)[0]
		b.exec(`UPDATE outbox_position SET settled = '3:3:', written_in = outbox_database()`)
		b.exec(change)
		b.over(id)
		b.look(b.sweeper())
		require.Equal(t, "STARTED REQUEST hotel 2", b.status(id), what)
		b.exec(`UPDATE saga SET wake_at = 'infinity', look_at = 'infinity' WHERE id = $1`, uuid.UUID(id))
	}
}
