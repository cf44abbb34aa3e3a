package inbox_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
)

// broken has each write to the table fail with the SQLSTATE until mend is called.
func (b *bench) broken(table, state string) (mend func()) {
	b.t.Helper()
	_, err := b.db.Exec(b.t.Context(), fmt.Sprintf(`
		CREATE FUNCTION fault_of_%[1]s() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'a fault of the database' USING ERRCODE = '%[2]s'; END $$;
		CREATE TRIGGER fault BEFORE INSERT OR UPDATE ON %[1]s FOR EACH ROW EXECUTE FUNCTION fault_of_%[1]s()`, table, state))
	require.NoError(b.t, err)
	return func() {
		_, err := b.db.Exec(context.WithoutCancel(b.t.Context()), `DROP TRIGGER fault ON `+table)
		require.NoError(b.t, err)
	}
}

// awaitSessions waits until the consumer has had so many sessions.
func (b *bench) awaitSessions(n int) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { sessions, _ := b.queue.counts(); return sessions >= n }, soon, often)
}

// Whatever the database says while nobody commits: no message is to blame, none is
// acknowledged, and all are done when it has healed. The probes go on for longer than one
// message's time.
func TestAnOutageIsNoMessagesFault(t *testing.T) {
	t.Parallel()
	for _, state := range []string{
		"HV00N", "P0001", "XX000", "0A000", "55000", "26000", "42P05", "42804", // what no list has
		"2200H", "23514", "22012", "22P02", "23505", "54000", // what looks like the message's fault
		"40P01", "42P01", "53100", "57014",
	} {
		t.Run(state, func(t *testing.T) {
			b := setUp(t, numbers(60)...)
			mend := b.broken("work", state)
			b.startBrisk(store)
			b.troubled("the circuit is open", "SQLSTATE "+state)
			require.ErrorIs(t, *b.trouble.Load(), inbox.ErrCircuitOpen)
			sessions, _ := b.queue.counts()
			b.awaitSessions(sessions + 10)
			more := numbers(70)
			b.queue.put(more[60:]...)
			_, acked := b.queue.counts()
			require.Zero(t, acked)
			mend()
			b.awaitAcked(70)
			b.troubled()
			require.Equal(t, 70, b.count(`SELECT count(*) FROM work`))
			require.Zero(t, b.count(`SELECT count(*) FROM inbox_quarantine`))
		})
	}
}

// What is given back is there for others: while the circuit is open the queue has all of it.
func TestDeliveriesAreGivenBackWhileTheCircuitIsOpen(t *testing.T) {
	b := setUp(t, numbers(20)...)
	mend := b.broken("work", "P0001")
	b.start(store)
	b.troubled("the circuit is open")
	require.Eventually(t, func() bool { return b.queue.depth() == 20 }, soon, often)
	mend()
	b.awaitAcked(20)
}

func TestOneBadMessageAmongMany(t *testing.T) {
	ds := numbers(201)
	ds[100].Body = []byte("bad")
	b := setUp(t, ds...)
	b.startBrisk(store)
	b.awaitAcked(201)
	require.Equal(t, 200, b.count(`SELECT count(*) FROM work`))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM inbox_quarantine WHERE message_id = 'm100'`))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM inbox_quarantine`))
}

func TestABadMessageInsideOfAnOutage(t *testing.T) {
	ds := numbers(30)
	ds[0].Body = []byte("bad")
	b := setUp(t, ds...)
	mend := b.broken("work", "HV00N")
	b.startBrisk(store)
	b.troubled("the circuit is open")
	b.awaitSessions(8)
	mend()
	b.awaitAcked(30)
	require.Equal(t, 29, b.count(`SELECT count(*) FROM work`))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM inbox_quarantine WHERE message_id = 'm000'`))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM inbox_quarantine`))
}

// The broker delivers the same message first in each session, and others after it. Where that
// one is bad, the circuit closes all the same.
func TestABadMessageInFrontKeepsNoCircuitOpen(t *testing.T) {
	ds := numbers(10)
	ds[0].Body = []byte("bad")
	b := setUp(t, ds...)
	b.queue.trickle = true
	mend := b.broken("work", "HV00N")
	b.start(store)
	b.troubled("the circuit is open")
	mend()
	b.awaitAcked(9)
	require.Equal(t, 9, b.count(`SELECT count(*) FROM work`))
}

// One of those that are delivered again may have ended the process. It takes no others with it.
func TestWhatIsDeliveredAgainIsTriedAlone(t *testing.T) {
	ds := numbers(25)
	for i := range ds[:20] {
		ds[i].Redelivered = true
	}
	b := setUp(t, ds...)
	var together atomic.Int64
	b.start(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
		if len(ds) > 1 && slices.ContainsFunc(ds, func(d inbox.Delivery) bool { return d.Redelivered }) {
			together.Add(1)
		}
		return store(ctx, tx, ds)
	})
	b.awaitAcked(25)
	require.Zero(t, together.Load())
	order := make([]string, 0, 25)
	b.queue.mu.Lock()
	for _, d := range b.queue.acked {
		if d.Redelivered {
			order = append(order, d.MessageID)
		}
	}
	b.queue.mu.Unlock()
	require.False(t, slices.IsSorted(order), "in another order, so that what ends the process is not always the first")
}

// A message that fails is held, and what comes after it is acknowledged meanwhile.
func TestAHeldMessageHoldsUpNobody(t *testing.T) {
	ds := numbers(120)
	b := setUp(t, ds[:60]...)
	var healed atomic.Bool
	b.start(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
		for _, d := range ds {
			if d.MessageID == "m007" && !healed.Load() {
				panic("seven")
			}
		}
		return store(ctx, tx, ds)
	})
	b.awaitAcked(59)
	b.queue.put(ds[60:]...)
	b.awaitAcked(119)
	sessions, _ := b.queue.counts()
	require.Equal(t, 1, sessions)
	healed.Store(true)
	b.awaitAcked(120)
	require.Zero(t, b.count(`SELECT count(*) FROM inbox_quarantine`))
}

// What is given back is delivered again first, one by one: those that fail come before all
// others. They are not all that a probe tries, and so keep the circuit open for nobody else.
func TestThoseThatFailDoNotKeepTheCircuitOpenForOthers(t *testing.T) {
	ds := numbers(23)
	for i := range 3 {
		ds[i].Body = []byte("bad")
	}
	b := setUp(t, ds...)
	b.queue.single = true
	b.start(store)
	b.awaitAcked(20)
	require.Equal(t, 20, b.count(`SELECT count(*) FROM work`))
	require.Zero(t, b.count(`SELECT count(*) FROM inbox_quarantine`))
}

// The broker ends the channel of a delivery that is not acknowledged for half an hour, so
// a message that is held for long is given back before.
func TestAMessageIsNotHeldForEver(t *testing.T) {
	ds := numbers(3)
	ds[1].Body = []byte("bad")
	b := setUp(t, ds...)
	times := patient
	times.Hold = 100 * time.Millisecond
	b.startWith(store, soon, times)
	b.awaitAcked(2)
	b.awaitSessions(3)
	require.Zero(t, b.count(`SELECT count(*) FROM inbox_quarantine`))
}

// A message that cannot be set aside stays held, which is told.
func TestTheQuarantineIsBroken(t *testing.T) {
	ds := numbers(10)
	ds[4].Body = []byte("bad")
	b := setUp(t, ds...)
	mend := b.broken("inbox_quarantine", "P0001")
	b.startBrisk(store)
	b.troubled("set a message aside", "inbox_quarantine", "P0001")
	b.awaitAcked(9)
	mend()
	b.awaitAcked(10)
	b.troubled()
	require.Equal(t, 1, b.count(`SELECT count(*) FROM inbox_quarantine`))
}
