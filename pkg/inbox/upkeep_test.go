package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/inbox/quarantine"
)

func (b *bench) exec(statement string, args ...any) {
	b.t.Helper()
	_, err := b.db.Exec(b.t.Context(), statement, args...)
	require.NoError(b.t, err, statement)
}

// until waits until so many rows of the quarantine fit.
func (b *bench) until(n int, where string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return b.count(`SELECT count(*) FROM inbox_quarantine WHERE `+where) == n }, soon, often, where)
}

// due has the next try of all that is held come now.
func (b *bench) due() {
	b.t.Helper()
	b.exec(`UPDATE inbox_quarantine SET retry_at = now() WHERE state = 'held'`)
}

// A table refuses some messages: they are tried again by themselves, in the same row, until
// the table is mended, and they open no circuit although nothing else commits.
func TestWhatIsSetAsideComesBackByItself(t *testing.T) {
	b := setUp(t)
	b.exec(`ALTER TABLE work ADD CONSTRAINT broken CHECK (number < 0) NOT VALID`)
	b.startWith(store, 20*time.Second, inbox.Times{Alone: time.Millisecond, Quiet: 10 * time.Millisecond, Hold: time.Minute})
	for i, d := range numbers(5) { // together they would look like an outage
		b.queue.put(d)
		b.queue.put(message(fmt.Sprint("good", i), "-1"))
		b.until(i+1, `state = 'held' AND code = 'failing' AND tries = 0 AND retry_at > now() + interval '50 s'`)
	}
	first := b.count(`SELECT sum(extract(epoch FROM received_at) * 1000)::bigint FROM inbox_quarantine`)
	for try := 1; try <= 3; try++ {
		b.due()
		b.until(5, fmt.Sprintf(`state = 'held' AND tries = %d AND deliveries = %d AND retry_at > now() + interval '1 minute' * (2 ^ %[1]d - 0.2)`, try, try+1))
		require.NoError(t, *b.trouble.Load(), "try %d", try)
	}
	require.Equal(t, first, b.count(`SELECT sum(extract(epoch FROM received_at) * 1000)::bigint FROM inbox_quarantine`))
	b.exec(`ALTER TABLE work DROP CONSTRAINT broken`)
	b.due()
	b.until(5, `state = 'retried' AND tries = 4 AND handled_by = 'itself' AND retry_at IS NULL`)
	require.Eventually(t, func() bool { return b.count(`SELECT count(*) FROM work WHERE number >= 0`) == 5 }, soon, often)
}

// After a day a message is dead, whatever the database's clock says of when it is due.
func TestTriesOfAMessageEnd(t *testing.T) {
	b := setUp(t, message("old", "x"), message("set back", "y"))
	b.startBrisk(store)
	b.until(2, `state = 'held'`)
	b.exec(`UPDATE inbox_quarantine SET received_at = received_at - interval '25 hours', retry_at = now() WHERE message_id = 'old'`)
	b.exec(`UPDATE inbox_quarantine SET received_at = now() + interval '1 year', last_received_at = now() + interval '1 year',
		retry_at = now() + interval '1 year' WHERE message_id = 'set back'`)
	b.until(1, `message_id = 'old' AND state = 'dead' AND retry_at IS NULL AND tries = 1`)
	b.until(1, `message_id = 'set back' AND state = 'held' AND tries = 1 AND retry_at < now() + interval '1 hour'`)
	b.exec(`UPDATE inbox_quarantine SET tries = 40, retry_at = now() WHERE state = 'held'`)
	b.until(2, `state = 'dead'`)
}

// What can never get better, and what could not be recognised, waits for somebody at once.
func TestWhatIsDeadAtOnce(t *testing.T) {
	b := setUp(t, message("undecodable", "1"), message("", "other"), message("other", "1"), message("unexpected", "1"))
	b.start(func(_ context.Context, _ pgx.Tx, ds []inbox.Delivery) (all []inbox.Rejection, _ error) {
		for i, d := range ds {
			all = append(all, inbox.Rejection{Index: i, Code: inbox.Code(d.MessageID), Reason: "no"})
		}
		return all, nil
	})
	b.until(4, `true`)
	b.until(1, `code = 'undecodable' AND state = 'dead'`)
	b.until(1, `message_id IS NULL AND code = 'other' AND state = 'dead'`)
	b.until(2, `message_id IN ('other', 'unexpected') AND state = 'held'`)
}

// One that the broker does not take has had its try, and keeps nobody else.
func TestARefusedTryCounts(t *testing.T) {
	b := setUp(t, message("m", "bad"))
	b.startBrisk(store)
	b.until(1, `state = 'held'`)
	b.queue.setRefused(fmt.Errorf("%w: there is no queue", quarantine.ErrRefused))
	b.due()
	b.until(1, `state = 'held' AND tries = 1 AND deliveries = 1 AND retry_at > now() + interval '110 s'`)
	b.exec(`UPDATE inbox_quarantine SET received_at = received_at - interval '24 hours', retry_at = now()`)
	b.until(1, `state = 'dead' AND tries = 2`)
	b.queue.setRefused(errors.New("the broker is away"))
	b.exec(`UPDATE inbox_quarantine SET state = 'held', retry_at = now(), tries = 0, received_at = last_received_at`)
	b.queue.setRefused(nil)
	b.until(1, `state = 'held' AND tries = 1`)
}

// A crash between the broker's confirmation and the commit leaves the message held: it
// comes twice, and is lost never.
func TestACrashWhileAMessageIsPutBack(t *testing.T) {
	b := setUp(t, message("m", "bad"))
	b.startBrisk(store)
	b.until(1, `state = 'held'`)
	b.exec(`ALTER TABLE work ALTER number TYPE text`)
	b.queue.mu.Lock()
	crashed := false
	b.queue.back = func() {
		if !crashed {
			crashed = true
			b.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'`)
		}
	}
	b.queue.mu.Unlock()
	b.stop()
	require.NoError(t, <-b.ended)
	b.startBrisk(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
		for _, d := range ds {
			if _, err := tx.Exec(ctx, `INSERT INTO work VALUES ($1 || '/' || gen_random_uuid(), $2)`, d.MessageID, string(d.Body)); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	b.due()
	b.until(1, `state = 'retried' AND tries = 1`)
	require.Eventually(t, func() bool { return b.count(`SELECT count(*) FROM work`) == 2 }, soon, often)
}

// While the circuit is open nothing is put back; what comes back then goes to its row again.
func TestNothingIsPutBackIntoAnOutage(t *testing.T) {
	b := setUp(t, message("m", "bad"))
	b.startBrisk(store)
	b.until(1, `state = 'held'`)
	mend := b.broken("work", "P0001")
	b.queue.put(numbers(10)...)
	b.troubled("the circuit is open")
	b.due()
	sessions, _ := b.queue.counts()
	b.awaitSessions(sessions + 5)
	b.until(1, `state = 'held' AND tries = 0`)
	mend()
	b.until(1, `state = 'held' AND tries = 1`)
	b.awaitAcked(12)
}

// What nobody needs is deleted after its time, and nothing else is.
func TestRetentionOfTheQuarantine(t *testing.T) {
	b := setUp(t)
	b.exec(`INSERT INTO inbox_quarantine (consumer, queue, code, reason, exchange, routing_key, properties, headers, body, message_sha256,
			state, retry_at, handled_at, handled_by, received_at, last_received_at)
		SELECT c, 'q', 'other', age::text, '', '', '{}', '{}', '', '', s, CASE s WHEN 'held' THEN now() + interval '1 minute' END,
			CASE WHEN s IN ('retried', 'discarded') THEN now() - age END, 'ada', now() - age, now() - age
		FROM unnest('{test,another}'::text[]) AS c, unnest('{held,dead,retried,discarded}'::text[]) AS s,
			unnest('{1 day,8 days,31 days}'::interval[]) AS age, generate_series(1, 600)`)
	b.start(store)
	b.until(0, `consumer = 'test' AND (state IN ('retried', 'discarded') AND reason <> '1 day' OR state = 'dead' AND reason = '31 days')`)
	b.until(3*600, `consumer = 'test' AND state = 'held'`)
	b.until(2*600, `consumer = 'test' AND state = 'dead'`)
	b.until(2*600, `consumer = 'test' AND state IN ('retried', 'discarded')`)
	b.until(12*600, `consumer = 'another'`)
	b.stop()
	require.NoError(t, <-b.ended)
	b.keep = quarantine.Retention{Handled: quarantine.ForEver, Dead: 48 * time.Hour}
	b.start(store)
	b.until(600, `consumer = 'test' AND state = 'dead'`)
	b.until(2*600, `consumer = 'test' AND state IN ('retried', 'discarded')`)
}
