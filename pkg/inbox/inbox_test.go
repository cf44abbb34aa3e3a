package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/inbox/quarantine"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const soon, often = 20 * time.Second, 5 * time.Millisecond

// bench is a database with a table of done work, and a consumer over a queue.
type bench struct {
	t       *testing.T
	db      *pgxpool.Pool
	queue   *queue
	trouble atomic.Pointer[error] // what was reported last
	workers int
	cost    func(inbox.Delivery) (time.Duration, bool)
	work    func(inbox.Delivery) string
	keep    quarantine.Retention
	ready   func(context.Context) error
	stop    context.CancelFunc
	ended   chan error
}

func setUp(t *testing.T, deliveries ...inbox.Delivery) *bench {
	t.Parallel()
	db := testenv.Database(t, sagasql.Inbox)
	_, err := db.Exec(t.Context(), `CREATE TABLE work (id text PRIMARY KEY, number int NOT NULL)`)
	require.NoError(t, err)
	return &bench{t: t, db: db, queue: newQueue(deliveries...)}
}

// brisk are times in which a message that fails is set aside soon; patient ones outlast
// the test.
var (
	brisk   = inbox.Times{Alone: 100 * time.Millisecond, Quiet: 500 * time.Millisecond, Hold: time.Minute}
	patient = inbox.Times{Alone: time.Hour, Quiet: 10 * time.Hour, Hold: time.Minute}
)

func (b *bench) start(handle inbox.Handler) { b.startWith(handle, 20*time.Second, patient) }

func (b *bench) startBrisk(handle inbox.Handler) { b.startWith(handle, 20*time.Second, brisk) }

// startWith gives a transaction no more than attempt.
func (b *bench) startWith(handle inbox.Handler, attempt time.Duration, times inbox.Times) {
	ctx, cancel := context.WithCancel(context.Background())
	b.stop, b.ended = cancel, make(chan error, 1)
	cfg := inbox.Config{
		Workers: b.workers, Key: keyOf, Cost: b.cost, Work: b.work,
		Name: "test", Service: testenv.Service, DB: b.db, Open: b.queue.open, Handle: handle, MaxBatch: 50, Retention: b.keep, Ready: b.ready,
		Report: func(err error) { b.trouble.Store(&err) }, Log: zaptest.NewLogger(b.t),
	}
	go func() { b.ended <- inbox.RunFast(ctx, cfg, attempt, times) }()
	b.t.Cleanup(func() {
		cancel()
		if b.ended != nil {
			require.NoError(b.t, <-b.ended)
			b.ended = nil
		}
	})
}

func (b *bench) awaitAcked(n int) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { _, acked := b.queue.counts(); return acked == n }, soon, often)
}

func (b *bench) count(query string, args ...any) (n int) {
	b.t.Helper()
	require.NoError(b.t, b.db.QueryRow(b.t.Context(), query, args...).Scan(&n))
	return n
}

func message(id, body string) inbox.Delivery {
	return inbox.Delivery{
		MessageID: id, Body: []byte(body), ContentType: "application/json", RoutingKey: "k",
		Headers: map[string]string{"a": "b"},
	}
}

func numbers(n int) []inbox.Delivery {
	ds := make([]inbox.Delivery, n)
	for i := range ds {
		ds[i] = message(fmt.Sprintf("m%03d", i), fmt.Sprint(i))
	}
	return ds
}

// store is an idempotent handler: it keeps the body as a number.
func store(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
	for _, d := range ds {
		if _, err := tx.Exec(ctx, `INSERT INTO work VALUES ($1, $2::text::int) ON CONFLICT DO NOTHING`, d.MessageID, string(d.Body)); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func TestWorkIsCommittedThenAcknowledged(t *testing.T) {
	b := setUp(t, numbers(120)...)
	b.start(store)
	b.awaitAcked(120)
	require.Equal(t, 120, b.count(`SELECT count(*) FROM work`))
	require.Equal(t, 3, b.count(`SELECT count(DISTINCT xmin::text) FROM work`), "one transaction a batch")
	require.NoError(t, *b.trouble.Load())
	b.stop()
	require.NoError(t, <-b.ended)
	b.ended = nil
	require.Error(t, *b.trouble.Load())
}

// A batch whose work takes longer than a transaction may is done in smaller ones.
func TestABatchThatTakesTooLongIsSplit(t *testing.T) {
	b := setUp(t, numbers(50)...)
	b.startWith(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
		if _, err := tx.Exec(ctx, `SELECT pg_sleep($1 * 0.02)`, len(ds)); err != nil {
			return nil, err
		}
		return store(ctx, tx, ds)
	}, 600*time.Millisecond, patient)
	b.awaitAcked(50)
	require.Equal(t, 50, b.count(`SELECT count(*) FROM work`))
	require.Zero(t, b.count(`SELECT count(*) FROM inbox_quarantine`))
}

// A message whose handling costs the connection stays in the queue, for nothing is
// known against it; its neighbours do not wait until it heals.
func TestAMessageThatCostsTheConnectionHoldsUpNobody(t *testing.T) {
	b := setUp(t, numbers(50)...)
	var healed atomic.Bool
	b.start(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
		for _, d := range ds {
			if d.MessageID == "m007" && !healed.Load() {
				_, err := tx.Exec(ctx, `SELECT pg_terminate_backend(pg_backend_pid())`)
				return nil, err
			}
		}
		return store(ctx, tx, ds)
	})
	b.awaitAcked(49)
	require.Equal(t, 49, b.count(`SELECT count(*) FROM work`))
	healed.Store(true)
	b.awaitAcked(50)
	require.Equal(t, 50, b.count(`SELECT count(*) FROM work`))
	require.Zero(t, b.count(`SELECT count(*) FROM inbox_quarantine`))
}

func TestABadMessageIsFoundByHalving(t *testing.T) {
	ds := numbers(50)
	ds[7].Body, ds[31].Body = []byte("seven"), []byte("99999999999")
	b := setUp(t, ds...)
	b.startBrisk(store)
	b.awaitAcked(50)
	require.Equal(t, 48, b.count(`SELECT count(*) FROM work`))
	require.Equal(t, 2, b.count(`SELECT count(*) FROM inbox_quarantine WHERE message_id IN ('m007', 'm031')`))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM inbox_quarantine WHERE reason LIKE '%22P02%'`))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM inbox_quarantine WHERE reason LIKE '%22003%'`))
}

// A panic is a failure like another: a fault of the program panics for every message.
func TestAMessageThatPanicsIsSetAsideAlone(t *testing.T) {
	b := setUp(t, numbers(20)...)
	b.startBrisk(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
		for _, d := range ds {
			if d.MessageID == "m013" {
				panic("thirteen")
			}
		}
		return store(ctx, tx, ds)
	})
	b.awaitAcked(20)
	require.Equal(t, 19, b.count(`SELECT count(*) FROM work`))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM inbox_quarantine WHERE message_id = 'm013' AND reason LIKE '%panicked: thirteen'`))
}

func TestALostConnectionIsNobodysFault(t *testing.T) {
	var kills atomic.Int32
	b := setUp(t, numbers(10)...)
	b.start(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
		rejections, err := store(ctx, tx, ds)
		if kills.Add(1) <= 3 {
			_, err = tx.Exec(ctx, `SELECT pg_terminate_backend(pg_backend_pid())`)
		}
		return rejections, err
	})
	b.awaitAcked(10)
	require.Equal(t, 10, b.count(`SELECT count(*) FROM work`))
	require.Zero(t, b.count(`SELECT count(*) FROM inbox_quarantine`))
}

// A crash between commit and ack brings everything again: work and quarantine
// must show it once.
func TestRedeliveryAfterCommit(t *testing.T) {
	b := setUp(t, numbers(10)...)
	b.queue.ackErrs = []error{errors.New("the connection is gone"), nil}
	b.start(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
		third := func(d inbox.Delivery) bool { return d.MessageID == "m003" }
		_, err := store(ctx, tx, slices.DeleteFunc(slices.Clone(ds), third))
		var rejections []inbox.Rejection
		if i := slices.IndexFunc(ds, third); i >= 0 {
			rejections = []inbox.Rejection{{Index: i, Reason: "three"}}
		}
		return rejections, err
	})
	b.awaitAcked(10)
	sessions, _ := b.queue.counts()
	require.Equal(t, 2, sessions)
	require.Equal(t, 9, b.count(`SELECT count(*) FROM work`))
	require.Equal(t, 2, b.count(`SELECT deliveries FROM inbox_quarantine`), "one row that was counted twice")
}

func TestTheBatchInHandIsFinished(t *testing.T) {
	inHand := make(chan struct{})
	finish := make(chan struct{})
	b := setUp(t, numbers(5)...)
	b.start(func(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) ([]inbox.Rejection, error) {
		close(inHand)
		<-finish
		return store(ctx, tx, ds)
	})
	<-inHand
	b.stop()
	close(finish)
	require.NoError(t, <-b.ended)
	b.ended = nil
	_, acked := b.queue.counts()
	require.Equal(t, 5, acked)
	require.Equal(t, 5, b.count(`SELECT count(*) FROM work`))
}

func TestBrokerAbsentAtTheStart(t *testing.T) {
	b := setUp(t, numbers(1)...)
	b.queue.setOpenErr(errors.New("connection refused"))
	b.start(store)
	b.queue.setOpenErr(nil)
	b.awaitAcked(1)
}

// Opening a session while the database is away would only count deliveries
// against the queue's limit.
func TestNoSessionWithoutADatabase(t *testing.T) {
	b := setUp(t, numbers(1)...)
	var dials atomic.Int32
	var present atomic.Bool
	cfg := b.db.Config()
	cfg.BeforeConnect = func(context.Context, *pgx.ConnConfig) error {
		dials.Add(1)
		if !present.Load() {
			return errors.New("no such host")
		}
		return nil
	}
	db, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	whole := b.db
	b.db = db
	b.start(store)
	b.db = whole
	require.Eventually(t, func() bool { return dials.Load() > 3 }, soon, often)
	sessions, _ := b.queue.counts()
	require.Zero(t, sessions)
	present.Store(true)
	b.awaitAcked(1)
}

func TestARejectionOutOfRangeIsAnError(t *testing.T) {
	b := setUp(t, numbers(1)...)
	b.startBrisk(func(context.Context, pgx.Tx, []inbox.Delivery) ([]inbox.Rejection, error) {
		return []inbox.Rejection{{Index: 1}}, nil
	})
	b.awaitAcked(1)
	require.Equal(t, 1, b.count(`SELECT count(*) FROM inbox_quarantine WHERE reason LIKE '%rejected delivery 1 of 1%'`))
}

func TestConfigNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	err := inbox.Run(t.Context(), inbox.Config{MaxBatch: -1})
	for _, field := range strings.Fields("Name DB Open Handle MaxBatch") {
		require.ErrorContains(t, err, "Config."+field)
	}
}
