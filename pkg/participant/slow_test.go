package participant_test

import (
	"context"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// long is what the whole of a test may take on a busy machine.
const long = 3 * time.Minute

// runs counts how often each saga's handler was begun.
type runs struct {
	mu    sync.Mutex
	begun map[saga.ID]int
	total int
}

func (r *runs) begin(id saga.ID) (total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.begun == nil {
		r.begun = map[saga.ID]int{}
	}
	r.begun[id]++
	r.total++
	return r.total
}

func (r *runs) of(id saga.ID) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begun[id]
}

// fillQueue puts REQUESTs for the step "work" into its queue on a real broker, and has the
// bench's participant consume it. They are first attempts, unless others are said.
func (b *bench) fillQueue(ids []saga.ID, behaviour func(i int) string, attempts ...int) {
	b.t.Helper()
	url := testenv.Vhost(b.t)
	broker := rabbit.Config{Name: "test", URL: func(context.Context) (string, error) { return url, nil }}
	b.Open = func(ctx context.Context, owner sagasql.Service) (inbox.Source, error) {
		source, err := rabbit.OpenConsumer(ctx, broker, rabbit.CommandTopology(owner), protocol.CommandQueue(owner.Name), 200)
		if err != nil {
			return nil, err
		}
		return source, nil
	}
	ready, err := b.Open(b.t.Context(), testenv.Owner) // declares the queue
	require.NoError(b.t, err)
	require.NoError(b.t, ready.Close())
	p, err := rabbit.OpenPublisher(b.t.Context(), broker, len(ids))
	require.NoError(b.t, err)
	for i, id := range ids {
		attempt := 1
		if i < len(attempts) {
			attempt = attempts[i]
		}
		m, err := protocol.CommandMessage("trips", saga.State{ID: id, Type: "test"}, saga.SendCommand{
			Step: "work", Operation: saga.Request, Attempt: attempt, Destination: testenv.Service,
			Payload: jsonmap.JSONMap{"behaviour": behaviour(i)},
		})
		require.NoError(b.t, err)
		wait, err := p.Publish(b.t.Context(), &outbox.Record{Message: m, CreatedAt: time.Now()})
		require.NoError(b.t, err)
		require.NoError(b.t, wait(b.t.Context()))
	}
	require.NoError(b.t, p.Close())
}

// run starts the participant, which ends with the test.
func (b *bench) run(request func(context.Context, pgx.Tx, participant.Command) error) {
	b.t.Helper()
	b.Steps = map[string]participant.Step{"work": {Request: func(ctx context.Context, tx pgx.Tx, cmd participant.Command) (jsonmap.JSONMap, error) {
		return nil, request(ctx, tx, cmd)
	}}}
	p, err := participant.New(b.Config)
	require.NoError(b.t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	b.t.Cleanup(func() {
		stop()
		require.NoError(b.t, <-ended)
	})
}

func (b *bench) answered() (n int) {
	b.t.Helper()
	require.NoError(b.t, b.DB.QueryRow(b.t.Context(), `SELECT count(*) FROM outbox`).Scan(&n))
	return n
}

func (b *bench) awaitAnswers(n int) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return b.answered() >= n }, long, 20*time.Millisecond, "want %d answers", n)
}

func sagas(n int) []saga.ID {
	ids := make([]saga.ID, n)
	for i := range ids {
		ids[i] = newSaga()
	}
	return ids
}

// What is done is answered before what comes behind it is begun, so that nothing waits for
// the end of the batch.
func TestSlowCommandsAreAnsweredOneByOne(t *testing.T) {
	b := setUp(t)
	b.Budget = 500 * time.Millisecond
	const n = 60
	var r runs
	var behind int
	ids := sagas(n)
	b.fillQueue(ids, func(int) string { return "" })
	b.run(func(ctx context.Context, tx pgx.Tx, cmd participant.Command) error {
		begun := r.begin(cmd.SagaID)
		var answered int
		if err := b.DB.QueryRow(ctx, `SELECT count(*) FROM outbox`).Scan(&answered); err != nil {
			return err
		}
		r.mu.Lock()
		behind = max(behind, begun-answered)
		r.mu.Unlock()
		_, err := tx.Exec(ctx, `SELECT pg_sleep(0.3)`)
		return err
	})
	b.awaitAnswers(n)
	// A busy machine may make one of them outrun the budget beside another.
	require.LessOrEqual(t, r.total, n+5)
	require.LessOrEqual(t, behind, 4*2, "begun and not answered")
	require.Equal(t, "60", b.text(`SELECT count(*)::text FROM saga_barrier WHERE state = 'succeeded'`))
}

// A hundred commands that take longer than the budget are begun once each.
func TestCommandsBeyondTheBudgetAreBegunOnce(t *testing.T) {
	b := setUp(t)
	b.Budget = 20 * time.Millisecond
	var r runs
	b.fillQueue(sagas(100), func(int) string { return "" })
	b.run(func(ctx context.Context, tx pgx.Tx, cmd participant.Command) error {
		r.begin(cmd.SagaID)
		_, err := tx.Exec(ctx, `SELECT pg_sleep(0.04)`)
		return err
	})
	b.awaitAnswers(100)
	require.LessOrEqual(t, r.total, 105)
}

// Eight commands that hang, among two hundred of the same step that do not: these are
// answered meanwhile, all of them.
func TestASlowCommandHoldsUpOnlyItself(t *testing.T) {
	b := setUp(t)
	b.Budget, b.Limit = 200*time.Millisecond, time.Hour // they hang until they are let go
	const n, hanging = 208, 8
	var r runs
	release := make(chan struct{})
	ids := sagas(n)
	b.fillQueue(ids, func(i int) string {
		if i >= 20 && i < 20+hanging {
			return "hang"
		}
		return ""
	})
	b.run(func(ctx context.Context, tx pgx.Tx, cmd participant.Command) error {
		r.begin(cmd.SagaID)
		if _, err := tx.Exec(ctx, `INSERT INTO effect (saga, op) VALUES ($1, $2)`, uuid.UUID(cmd.SagaID), cmd.Operation); err != nil {
			return err
		}
		if cmd.Payload["behaviour"] != "hang" {
			return nil
		}
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	b.awaitAnswers(n - hanging)
	require.Equal(t, n-hanging, b.answered())
	close(release)
	b.awaitAnswers(n)
	for _, id := range ids {
		require.Equal(t, "REQUEST", b.effects(id))
		require.LessOrEqual(t, r.of(id), hanging+1)
	}
	for _, id := range ids[20 : 20+hanging] {
		require.LessOrEqual(t, r.of(id), 2, "beside others, and by itself")
		require.Len(t, b.answers(id), 1)
	}
}

// Two hundred fast commands, without and with one among them whose handler takes very long,
// in turn: the fast ones end alike, which is logged, and the slow one ends. SLOW_HANDLER is
// how long.
func TestASlowHandlerBesideFastOnes(t *testing.T) {
	takes, rounds := 2*time.Second, 1
	if text := os.Getenv("SLOW_HANDLER"); text != "" {
		var err error
		takes, err = time.ParseDuration(text)
		require.NoError(t, err)
		rounds = 3
	}
	for range rounds {
		var alone, beside time.Duration
		t.Run("without", func(t *testing.T) { alone, _ = fastOnes(t, 0) })
		t.Run("with", func(t *testing.T) {
			var slow time.Duration
			beside, slow = fastOnes(t, takes)
			t.Logf("the slow one ended after %v", slow.Round(time.Millisecond))
		})
		t.Logf("200 fast ones ended after %v without and %v with a slow one", alone.Round(time.Millisecond), beside.Round(time.Millisecond))
	}
}

// fastOnes tells how long two hundred commands took, and one more whose handler takes so long.
func fastOnes(t *testing.T, takes time.Duration) (fast, slow time.Duration) {
	t.Helper()
	b := setUpAlone(t)
	b.Limit, b.Budget = 2*time.Minute, participant.DefaultBudget
	const n = 200
	ids, all := sagas(n+1), n
	if takes > 0 {
		all = n + 1
	}
	b.fillQueue(ids[:all], func(i int) string {
		if i == n/2 && takes > 0 {
			return "slow"
		}
		return ""
	})
	begun := time.Now()
	b.run(func(ctx context.Context, tx pgx.Tx, cmd participant.Command) error {
		pause := 5 * time.Millisecond
		if cmd.Payload["behaviour"] == "slow" {
			pause = takes
		}
		_, err := tx.Exec(ctx, `SELECT pg_sleep($1)`, pause.Seconds())
		return err
	})
	b.awaitAnswers(n)
	fast = time.Since(begun)
	require.Eventually(t, func() bool { return b.answered() == all }, takes+long, 50*time.Millisecond)
	require.Equal(t, strconv.Itoa(all), b.text(`SELECT count(*)::text FROM saga_barrier WHERE state = 'succeeded'`))
	return fast, time.Since(begun)
}

// A handler at its limit is answered, whether its end costs the connection or not.
func TestALimitIsAnswered(t *testing.T) {
	for name, hang := range map[string]func(ctx context.Context, tx pgx.Tx) error{
		"in the database": func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `SELECT pg_sleep(1000)`)
			return err
		},
		"elsewhere": func(ctx context.Context, _ pgx.Tx) error {
			<-ctx.Done()
			return context.Cause(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t)
			b.Budget, b.Limit = 300*time.Millisecond, 600*time.Millisecond
			ids := sagas(30)
			var r runs
			b.fillQueue(ids, func(i int) string { return map[bool]string{true: "hang"}[i == 10] })
			b.run(func(ctx context.Context, tx pgx.Tx, cmd participant.Command) error {
				r.begin(cmd.SagaID)
				if err := behave(ctx, tx, cmd); err != nil || cmd.Payload["behaviour"] != "hang" {
					return err
				}
				return hang(ctx, tx)
			})
			b.awaitAnswers(30)
			for i, id := range ids {
				got := b.answers(id)
				require.Len(t, got, 1)
				if i != 10 {
					require.Equal(t, saga.OutcomeSucceeded, got[0].Reply.Outcome)
					continue
				}
				require.Equal(t, saga.OutcomeRetry, got[0].Reply.Outcome)
				require.Equal(t, saga.Problem{
					Type: "urn:problem:saga:time-limit", Title: "The handler did not end within its limit, nothing was changed",
					Detail: "the limit is 600ms",
				}, got[0].Reply.Problem)
				require.Empty(t, b.state(id)+b.effects(id))
				require.LessOrEqual(t, r.of(id), 2)
			}
			require.Equal(t, "0", b.text(`SELECT count(*)::text FROM inbox_quarantine`))
		})
	}
}

// An attempt that comes while an earlier one waits in the process is answered that it should
// come again: nothing is begun for it, nothing is written down, and the one that waits is done.
func TestAnAttemptBehindAnotherIsAnswered(t *testing.T) {
	b := setUp(t)
	for _, op := range []saga.Operation{saga.Request, saga.Cancel} {
		id := newSaga()
		again := command(id, "work", op, 2, "")
		again.Repeated = true
		b.deliver([]inbox.Delivery{again, command(newSaga(), "work", op, 1, "")})
		got := b.answers(id)
		require.Len(t, got, 1)
		require.Equal(t, saga.OutcomeRetry, got[0].Reply.Outcome)
		require.Equal(t, "urn:problem:saga:in-line", got[0].Reply.Problem.Type)
		require.Empty(t, b.state(id)+b.effects(id))
		b.deliver([]inbox.Delivery{command(id, "work", op, 1, "")})
		require.NotEmpty(t, b.state(id))
	}
}

// More commands wait in the process, or hang in their handlers, than can be done before their
// sagas ask again: each second attempt is answered meanwhile, each first one in the end.
func TestALongLineIsAnswered(t *testing.T) {
	b := setUp(t)
	b.Workers, b.Budget = 2, 50*time.Millisecond
	ids := sagas(3)
	release := make(chan struct{})
	b.fillQueue(append(ids, ids...), func(int) string { return "" }, 1, 1, 1, 2, 2, 2)
	b.run(func(ctx context.Context, _ pgx.Tx, _ participant.Command) error {
		select {
		case <-release:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		return nil
	})
	b.awaitAnswers(3)
	for _, id := range ids {
		require.Equal(t, "urn:problem:saga:in-line", b.answers(id)[0].Reply.Problem.Type)
	}
	close(release)
	b.awaitAnswers(6)
	for _, id := range ids {
		require.Equal(t, saga.OutcomeSucceeded, b.answers(id)[1].Reply.Outcome)
	}
}

// A handler within its limit waits for another system for longer than the pool lets a
// transaction stand idle.
func TestAHandlerWaitsLongerThanSessionsMayIdle(t *testing.T) {
	b := setUp(t)
	cfg := b.DB.Config()
	cfg.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "200ms"
	db, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	observe := b.DB
	b.DB, b.Limit, b.Budget = db, time.Minute, 100*time.Millisecond
	ids := sagas(1)
	var r runs
	b.fillQueue(ids, func(int) string { return "" })
	b.run(func(ctx context.Context, tx pgx.Tx, cmd participant.Command) error {
		r.begin(cmd.SagaID)
		_, err := observe.Exec(ctx, `SELECT pg_sleep(1)`) // the other system
		return err
	})
	b.awaitAnswers(1)
	require.Equal(t, saga.OutcomeSucceeded, b.answers(ids[0])[0].Reply.Outcome)
	require.Equal(t, 1, r.of(ids[0]))
	var value string
	require.NoError(t, db.QueryRow(t.Context(), `SHOW idle_in_transaction_session_timeout`).Scan(&value))
	require.Equal(t, "200ms", value, "the session's own setting comes back")
}

// What is not begun when the budget is spent leaves nothing behind.
func TestWhatIsNotBegunIsPutOff(t *testing.T) {
	b := setUp(t)
	before := sagas(4)
	var ds []inbox.Delivery
	for _, id := range before {
		ds = append(ds, command(id, "a", saga.Request, 1, ""))
	}
	b.deliver(ds)
	b.Budget = time.Second
	var err error
	b.p, err = participant.New(b.Config)
	require.NoError(t, err)
	ds = nil
	for _, id := range before {
		ds = append(ds, command(id, "a", saga.Cancel, 1, "sleep"), command(id, "work", saga.Request, 1, "sleep"), command(id, "work", saga.Request, 2, ""))
	}
	later := 0
	for len(ds) > 0 {
		rejections, err := b.handle(ds...)
		require.NoError(t, err)
		var rest []inbox.Delivery
		for _, r := range rejections {
			require.True(t, r.Later)
			rest = append(rest, ds[r.Index])
		}
		later += len(rest)
		ds = rest
		require.Equal(t, "0", b.text(`SELECT count(*)::text FROM saga_barrier b
			WHERE b.state = 'compensated' AND b.step = 'a' AND NOT EXISTS (SELECT FROM effect e WHERE e.saga = b.saga_id AND e.op = 'CANCEL')
			   OR b.step = 'work' AND NOT EXISTS (SELECT FROM outbox o WHERE o.aggregate_id = b.saga_id::text AND o.type LIKE 'work.%')`))
	}
	require.Positive(t, later)
	for _, id := range before {
		require.Equal(t, "compensated succeeded", b.state(id))
		require.Equal(t, "REQUEST CANCEL REQUEST", b.effects(id))
		require.Len(t, b.answers(id), 4)
	}
}

// Who is asked again while its handler runs is told to give the step more time.
func TestAHandlerThatOutlastsItsStepIsTold(t *testing.T) {
	b := setUp(t)
	core, logs := observer.New(zap.WarnLevel)
	b.Log, b.Budget = zap.New(core), time.Nanosecond
	var err error
	b.p, err = participant.New(b.Config)
	require.NoError(t, err)
	id := newSaga()
	b.deliver([]inbox.Delivery{command(id, "work", saga.Request, 1, "")})
	b.deliver([]inbox.Delivery{command(id, "work", saga.Request, 1, "")})
	require.Zero(t, logs.FilterMessageSnippet("outlasts its step's timeout").Len(), "it came twice")
	b.deliver([]inbox.Delivery{command(id, "work", saga.Request, 2, "")})
	require.Equal(t, 1, logs.FilterMessageSnippet("outlasts its step's timeout").Len())
}
