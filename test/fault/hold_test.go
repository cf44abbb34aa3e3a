package fault

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/orchestrator"
	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/config"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
)

// holdLong makes the tests below long ones: `make hold`.
var holdLong = os.Getenv("HOLD") != ""

// hold is sagas that come at a steady rate, with all that they need running in process.
// An attempt lasts so long, and there are four: a saga that is blamed for what is away
// would abort long before that is back.
type hold struct {
	*testing.T
	rate    int
	timeout time.Duration
	// most is how many commands there may be for each that is needed: a short run shares a
	// busy machine with other tests, whose participants may be slow. Without the rule they
	// are four.
	most    float64
	def     saga.Definition
	store   *sagapg.Store
	sagas   *pgxpool.Pool
	deeds   map[string]*pgxpool.Pool // of each participant
	url     string
	started int
}

func newHold(t *testing.T) *hold {
	t.Helper()
	t.Parallel()
	testenv.Connections(t, 40)
	h := &hold{
		T: t, rate: 10, timeout: time.Second, most: 1.5, store: sagapg.New("", testenv.Service), url: testenv.Vhost(t),
		sagas: testenv.Database(t, sagasql.Outbox, sagasql.Relay, sagasql.Saga, sagasql.Inbox),
		deeds: map[string]*pgxpool.Pool{},
	}
	for _, name := range []string{"hotel", "payment"} {
		h.deeds[name] = testenv.DatabaseOf(t, name, sagasql.Outbox, sagasql.Relay, sagasql.Inbox, sagasql.Participant)
	}
	if holdLong {
		h.rate, h.timeout, h.most = 20, 2*time.Second, 1.1
	}
	policy := saga.Policy{Timeout: h.timeout, RetryFor: time.Minute, Retry: saga.Retry{
		Initial: h.timeout / 5, Factor: 1, Max: h.timeout / 5, Attempts: 4,
	}}
	step := func(name string) saga.StepDefinition {
		return saga.StepDefinition{Name: name, Kind: saga.Command, Type: saga.Compensatable, Destination: name, Request: policy, Cancel: policy}
	}
	h.def = saga.Definition{
		Name: "trip", Version: 1, Mode: saga.Sequence,
		Steps: []saga.StepDefinition{step("hotel"), step("payment")},
	}
	_, err := h.store.ApplyDefinition(t.Context(), h.sagas, h.def)
	require.NoError(t, err)
	o := orchestrator.DefaultSettings()
	o.Service, o.DatabaseURL, o.AMQPURL, o.LogLevel = testenv.Service, config.Secret(h.sagas.Config().ConnString()), config.Secret(h.url), "error"
	h.run("orchestrator", func(ctx context.Context) error { return orchestrator.Run(ctx, o) })
	h.participant("hotel")
	return h
}

// run works until the test ends, or stop is called.
func (h *hold) run(name string, work func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(h, <-done, name)
	})
	h.Cleanup(stop)
	return stop
}

func (h *hold) relay() (stop func()) {
	return h.relayOf(h.sagas, h.deeds["hotel"], h.deeds["payment"])
}

func (h *hold) relayOf(dbs ...*pgxpool.Pool) (stop func()) {
	r := relay.DefaultSettings()
	urls := make([]string, len(dbs))
	for i, db := range dbs {
		urls[i] = db.Config().ConnString()
	}
	r.DatabaseURLs = config.Secret(strings.Join(urls, " "))
	r.AMQPURL, r.LogLevel = config.Secret(h.url), "error"
	return h.run("relay", func(ctx context.Context) error { return relay.Run(ctx, r) })
}

func (h *hold) participant(step string) (stop func()) {
	h.Helper()
	cfg := rabbit.Config{Name: step, URL: func(context.Context) (string, error) { return h.url, nil }}
	p, err := participant.New(participant.Config{
		Service: step, DB: h.deeds[step],
		Steps: map[string]participant.Step{step: {
			Request: func(context.Context, pgx.Tx, participant.Command) (jsonmap.JSONMap, error) { return nil, nil },
			Cancel:  func(context.Context, pgx.Tx, participant.Command) error { return nil },
		}},
		Open: func(ctx context.Context, owner sagasql.Service) (inbox.Source, error) {
			consumer, err := rabbit.OpenConsumer(ctx, cfg, rabbit.CommandTopology(owner), protocol.CommandQueue(owner.Name), 200)
			if err != nil {
				return nil, err // and no nil pointer inside of the interface
			}
			return consumer, nil
		},
	})
	require.NoError(h, err)
	return h.run("participant "+step, p.Run)
}

// come lets sagas come for so long.
func (h *hold) come(during time.Duration) {
	h.Helper()
	tick := time.NewTicker(time.Second / time.Duration(h.rate))
	defer tick.Stop()
	for end := time.Now().Add(during); time.Now().Before(end); <-tick.C {
		require.NoError(h, pgx.BeginFunc(h.Context(), h.sagas, func(tx pgx.Tx) error {
			_, _, err := h.store.Start(h.Context(), tx, h.def, sagapg.StartRequest{})
			return err
		}))
		h.started++
	}
}

// some sagas come, until one has completed: everybody is at work.
func (h *hold) some() {
	h.Helper()
	require.Eventually(h, func() bool {
		h.come(200 * time.Millisecond)
		return h.count(`SELECT count(*) FROM saga WHERE status = 'COMPLETED'`) > 0
	}, patience, time.Millisecond)
}

// lasts is for how long something is away; the long time is for `make hold`.
func (h *hold) lasts(long time.Duration) time.Duration {
	if holdLong {
		return long
	}
	return 8 * h.timeout
}

func (h *hold) count(query string) (n int) {
	h.Helper()
	require.NoError(h, h.sagas.QueryRow(h.Context(), query).Scan(&n))
	return n
}

// well holds that every saga completes, with hardly a command sent twice.
func (h *hold) well(what string, away time.Duration) {
	h.Helper()
	back := time.Now()
	held := h.count(`SELECT count(*) FROM saga WHERE jsonb_path_exists(waiting, '$.*.held')`)
	h.come(2 * time.Second)
	require.Eventually(h, func() bool { return h.count(`SELECT count(*) FROM saga WHERE ended_at IS NULL`) == 0 }, patience, 50*time.Millisecond)
	require.Equal(h, h.started, h.count(`SELECT count(*) FROM saga WHERE status = 'COMPLETED'`), "of them completed")
	sent := h.count(`SELECT count(*) FROM saga_history, unnest(sent)`)
	require.LessOrEqual(h, float64(sent), h.most*2*float64(h.started), "commands, for two steps each")
	require.Positive(h, held, "some were held")
	h.Logf("%s away for %v, attempts of %v × 4: %d sagas, %d held at the end, all completed %v after it was back, %d commands for %d steps",
		what, away, h.timeout, h.started, held, time.Since(back).Round(100*time.Millisecond), sent, 2*h.started)
}

// Sagas come while no relay runs.
func TestHoldWithoutARelay(t *testing.T) {
	h := newHold(t)
	stop := h.relay()
	h.participant("payment")
	h.come(time.Second)
	stop()
	away := h.lasts(time.Minute)
	h.come(away)
	h.relay()
	h.well("the relay", away)
}

// Sagas come before a participant was ever there: its queue is missing.
func TestHoldWithoutAQueue(t *testing.T) {
	h := newHold(t)
	h.relay()
	away := h.lasts(time.Minute)
	h.come(away)
	h.participant("payment")
	h.well("the queue", away)
}

// Sagas come while a participant is stopped. In its queue lies each command once.
func TestHoldWithoutAParticipant(t *testing.T) {
	h := newHold(t)
	h.relay()
	stop := h.participant("payment")
	h.some()
	stop()
	away := h.lasts(2 * time.Minute)
	h.come(away)
	connection, err := amqp.Dial(h.url)
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	channel, err := connection.Channel()
	require.NoError(t, err)
	lies, err := channel.QueueDeclarePassive(protocol.CommandQueue("payment"), true, false, false, false, nil)
	require.NoError(t, err)
	waiting := h.count(`SELECT count(*) FROM saga WHERE step_status ->> 'payment' = 'STARTED'`)
	require.LessOrEqual(t, float64(lies.Messages), h.most*float64(waiting))
	require.Greater(t, waiting, h.rate)
	t.Logf("%d commands of %d sagas in the queue", lies.Messages, waiting)
	h.participant("payment")
	h.well("the participant", away)
}

// Sagas come while no relay serves a participant's database: it has answered some commands, and
// these answers lie there. It notices, and takes no more.
func TestHoldWithoutAnswers(t *testing.T) {
	h := newHold(t)
	if !holdLong {
		h.most = 2 // until it notices, commands are sent again
	}
	h.relayOf(h.sagas, h.deeds["hotel"])
	stop := h.relayOf(h.deeds["payment"])
	h.participant("payment")
	h.some()
	stop()
	away := h.lasts(time.Minute)
	h.come(away)
	var lie int
	require.NoError(t, h.deeds["payment"].QueryRow(t.Context(), `SELECT count(*) FROM outbox AS o, outbox_position AS p
		WHERE NOT pg_visible_in_snapshot(o.xact, p.settled)`).Scan(&lie))
	require.Positive(t, lie, "answers lie there")
	h.relayOf(h.deeds["payment"])
	h.well("the relay of a participant", away)
}

// A participant whose database no relay has ever served takes no command at all. The short form
// is pkg/participant.TestNoCommandsAreTakenWhileAnswersLie.
func TestHoldBeforeARelayOfAParticipant(t *testing.T) {
	if !holdLong {
		t.Skip("it is for `make hold`")
	}
	h := newHold(t)
	h.relayOf(h.sagas, h.deeds["hotel"])
	h.participant("payment")
	away := h.lasts(time.Minute)
	h.come(away)
	var answered int
	require.NoError(t, h.deeds["payment"].QueryRow(t.Context(), `SELECT count(*) FROM outbox`).Scan(&answered))
	require.Zero(t, answered)
	h.relayOf(h.deeds["payment"])
	h.well("the first relay of a participant", away)
}
