package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
)

type onceHandler = func(context.Context, pgx.Tx, inbox.Delivery) error

// startOnce runs a consumer of that name, which has to be told from other ones.
func (b *bench) startOnce(name string, remember time.Duration, handle onceHandler) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	cfg := inbox.Once(inbox.Config{
		Name: name, Service: testenv.Service, DB: b.db, Open: b.queue.open, MaxBatch: 50, Remember: remember,
		Report: func(err error) { b.trouble.Store(&err) }, Log: zaptest.NewLogger(b.t),
	}, handle)
	go func() { ended <- inbox.RunFast(ctx, cfg, 20*time.Second, brisk) }()
	b.t.Cleanup(func() {
		cancel()
		require.NoError(b.t, <-ended)
	})
}

// tally is no idempotent handler: each call is a row.
func tally(ctx context.Context, tx pgx.Tx, d inbox.Delivery) error {
	_, err := tx.Exec(ctx, `INSERT INTO work SELECT $1 || '/' || count(*), 0 FROM work`, d.MessageID)
	return err
}

// An event is handled once, whether its copies come together, later, or to another batch.
func TestOnceHandlesACopyNoMore(t *testing.T) {
	both := append(numbers(20), numbers(20)...)
	b := setUp(t, both...)
	b.startOnce("mailer", 0, tally)
	b.awaitAcked(40)
	for _, d := range numbers(20) {
		b.queue.put(d)
	}
	b.awaitAcked(60)
	require.Equal(t, 20, b.count(`SELECT count(*) FROM work`))
	require.Equal(t, 20, b.count(`SELECT count(*) FROM inbox_handled WHERE consumer = 'mailer'`))
}

// Two consumers each handle it.
func TestOnceCountsForEachConsumer(t *testing.T) {
	b := setUp(t, numbers(1)...)
	b.startOnce("mailer", 0, tally)
	b.awaitAcked(1)
	second := &bench{t: t, db: b.db, queue: newQueue(numbers(1)...)}
	second.startOnce("printer", 0, tally)
	second.awaitAcked(1)
	require.Equal(t, 2, b.count(`SELECT count(*) FROM work`))
}

// What the handler wrote and the id commit together or not at all.
func TestOnceRemembersNothingOfAFailure(t *testing.T) {
	b := setUp(t, numbers(3)...)
	var failures atomic.Int32
	b.startOnce("mailer", 0, func(ctx context.Context, tx pgx.Tx, d inbox.Delivery) error {
		if err := tally(ctx, tx, d); err != nil {
			return err
		}
		if d.MessageID == "m001" && failures.Add(1) < 4 {
			return errors.New("not now")
		}
		return nil
	})
	b.awaitAcked(3)
	require.Equal(t, 3, b.count(`SELECT count(*) FROM work`))
	require.EqualValues(t, 4, failures.Load())
}

// What can never be handled is set aside without its work; put back it is new.
func TestOnceSetsAside(t *testing.T) {
	b := setUp(t, append(numbers(2), message("", "1"), message("a\x00b", "1"))...)
	var mended atomic.Bool
	b.startOnce("mailer", 0, func(ctx context.Context, tx pgx.Tx, d inbox.Delivery) error {
		if err := tally(ctx, tx, d); err != nil {
			return err
		}
		if d.MessageID == "m000" && !mended.Load() {
			return inbox.SetAside(inbox.Unexpected, "no such guest")
		}
		return nil
	})
	b.awaitAcked(4)
	require.Equal(t, 1, b.count(`SELECT count(*) FROM work`))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM inbox_quarantine WHERE message_id = 'm000' AND code = 'unexpected' AND reason = 'no such guest'`))
	require.Equal(t, 2, b.count(`SELECT count(*) FROM inbox_quarantine WHERE code = 'undecodable'`))
	mended.Store(true)
	b.queue.put(numbers(1)[0])
	b.awaitAcked(5)
	require.Equal(t, 2, b.count(`SELECT count(*) FROM work`))
}

// What is forgotten is not handled anew, and what was sent since is.
func TestOnceForgetsSafely(t *testing.T) {
	b := setUp(t)
	b.startOnce("mailer", inbox.MinRemember, tally)
	now := time.Now().Truncate(time.Second)
	sent := func(id string, ago time.Duration) inbox.Delivery {
		d := message(id, "1")
		d.Timestamp = now.Add(-ago)
		return d
	}
	const day = 24 * time.Hour
	all := []inbox.Delivery{sent("old", 40*day), sent("older", 50*day), sent("new", 0), message("timeless", "1"), sent("sent long ago", 41*day)}
	for _, d := range all {
		b.queue.put(d)
	}
	b.awaitAcked(5)
	b.exec(`UPDATE inbox_handled SET handled_at = now() - interval '40 days' WHERE message_id IN ('old', 'older', 'timeless')`)
	require.Eventually(t, func() bool { return b.count(`SELECT count(*) FROM inbox_handled`) == 3 }, soon, often)
	require.Equal(t, 1, b.count(`SELECT count(*) FROM inbox_forgotten WHERE consumer = 'mailer' AND sent_to = $1`, now.Add(-40*day)))
	for _, d := range append(all, sent("another", 45*day), sent("since", 39*day)) {
		b.queue.put(d)
	}
	b.awaitAcked(12)
	require.Equal(t, 6, b.count(`SELECT count(*) FROM work`), "the five and the one that was sent since")
	var aside []string
	require.NoError(t, b.db.QueryRow(t.Context(), `SELECT array_agg(message_id ORDER BY message_id) FROM inbox_quarantine
		WHERE code = 'unexpected' AND reason LIKE '%whether it was handled cannot be told'`).Scan(&aside))
	require.Equal(t, []string{"another", "old", "older"}, aside)
	require.Equal(t, 4, b.count(`SELECT count(*) FROM inbox_handled`), "what is set aside is not remembered as handled")
}

// Forgetting beside the same events that come again never has one handled twice.
func TestOnceForgetsWhileCopiesCome(t *testing.T) {
	b := setUp(t)
	b.startOnce("mailer", inbox.MinRemember, tally)
	const events = 200
	copies := make([]inbox.Delivery, events)
	for i := range copies {
		copies[i] = message(fmt.Sprint("e", i), "1")
		copies[i].Timestamp = time.Now().Add(-30 * 24 * time.Hour).Truncate(time.Second)
		b.queue.put(copies[i])
	}
	b.awaitAcked(events)
	b.exec(`UPDATE inbox_handled SET handled_at = sent_at`)
	for _, d := range copies {
		b.queue.put(d)
	}
	b.awaitAcked(2 * events)
	require.Eventually(t, func() bool { return b.count(`SELECT count(*) FROM inbox_handled`) == 0 }, soon, often)
	for _, d := range copies {
		b.queue.put(d)
	}
	b.awaitAcked(3 * events)
	require.Equal(t, events, b.count(`SELECT count(*) FROM work`))
}

func TestOnceChecksItsConfiguration(t *testing.T) {
	b := setUp(t)
	cfg := inbox.Config{Name: "mailer", Service: testenv.Service, DB: b.db, Open: b.queue.open, Remember: time.Hour}
	require.ErrorContains(t, inbox.Run(t.Context(), inbox.Once(cfg, tally)), "Config.Remember is less than a day")
	cfg.Remember = 0
	require.ErrorContains(t, inbox.Run(t.Context(), inbox.Once(cfg, nil)), "Config.Handle is missing")
	renamed := inbox.Once(cfg, tally)
	renamed.Name = "printer"
	require.ErrorContains(t, inbox.Run(t.Context(), renamed), "Config.Name is not what it was")
}

// Without a right it takes no event, and names the statement that gives it.
func TestOnceNamesItsRights(t *testing.T) {
	b := setUp(t, numbers(1)...)
	owner, role := b.lesser(`GRANT SELECT, INSERT, UPDATE, DELETE ON inbox_quarantine TO {role}`, `GRANT SELECT, INSERT, UPDATE ON inbox_forgotten TO {role}`)
	b.startOnce("mailer", 0, tally)
	cure := "GRANT DELETE, INSERT, SELECT ON public.inbox_handled TO " + role
	b.troubled(cure)
	_, err := owner.Exec(t.Context(), cure)
	require.NoError(t, err)
	b.awaitAcked(1)
}
