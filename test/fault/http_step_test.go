package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/orchestrator"
	"go.example/saga/internal/config"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	"go.example/saga/pkg/saga/sagayaml"
	sagasql "go.example/saga/sql"
)

// mixed is sagas of mode tcc whose steps go by the broker and by HTTP.
type mixed struct {
	testing.TB
	def   saga.Definition
	store *sagapg.Store
	sagas *pgxpool.Pool
	deeds map[string]*pgxpool.Pool
	url   string // of the broker
	web   *rudeServer
}

const mixedDefinition = `
name: mixed
version: 1
mode: tcc
steps:
  - name: hotel
    request: &patient {timeout: 5s, retry: {initial: 200ms, factor: 1, max: 200ms, attempts: 500}}
    confirm: *patient
    cancel: *patient
  - name: payment
    transport: http
    url: %s/payment
    request: *patient
    confirm: *patient
    cancel: *patient
`

func newMixed(t testing.TB) *mixed {
	t.Helper()
	testenv.Connections(t, 40)
	m := &mixed{
		TB: t, store: sagapg.New("", testenv.Service), url: testenv.Vhost(t), deeds: map[string]*pgxpool.Pool{},
		sagas: testenv.Database(t, sagasql.Outbox, sagasql.Relay, sagasql.Saga, sagasql.Inbox),
	}
	for _, name := range []string{"hotel", "payment"} {
		m.deeds[name] = testenv.DatabaseOf(t, name, sagasql.Outbox, sagasql.Relay, sagasql.Inbox, sagasql.Participant)
		_, err := m.deeds[name].Exec(t.Context(), `CREATE TABLE deed (saga_id uuid, operation text)`)
		require.NoError(t, err)
	}
	payment, err := participant.New(m.config("payment"))
	require.NoError(t, err)
	m.web = newRudeServer(t, payment.Handler())
	m.def, err = sagayaml.Parse(fmt.Appendf(nil, mixedDefinition, m.web.url))
	require.NoError(t, err)
	_, err = m.store.ApplyDefinition(t.Context(), m.sagas, m.def)
	require.NoError(t, err)
	o := orchestrator.DefaultSettings()
	o.Service, o.DatabaseURL, o.AMQPURL, o.LogLevel = testenv.Service, config.Secret(m.sagas.Config().ConnString()), config.Secret(m.url), "error"
	m.run(func(ctx context.Context) error { return orchestrator.Run(ctx, o) })
	return m
}

// run works until the test ends, or stop is called.
func (m *mixed) run(work func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(m, <-done)
	})
	m.Cleanup(stop)
	return stop
}

// config is a participant's that writes each deed down, and refuses what the saga says.
func (m *mixed) config(name string) participant.Config {
	write := func(ctx context.Context, tx pgx.Tx, c participant.Command) error {
		_, err := tx.Exec(ctx, `INSERT INTO deed VALUES ($1, $2)`, uuid.UUID(c.SagaID), string(c.Operation))
		return err
	}
	broker := rabbit.Config{Name: name, URL: func(context.Context) (string, error) { return m.url, nil }}
	return participant.Config{
		Service: name, DB: m.deeds[name],
		Steps: map[string]participant.Step{name: {
			Request: func(ctx context.Context, tx pgx.Tx, c participant.Command) (jsonmap.JSONMap, error) {
				if c.Payload["refuses"] == name {
					return nil, participant.Refuse(saga.Problem{Type: "urn:no", Title: "No"})
				}
				return jsonmap.JSONMap{"by": name}, write(ctx, tx, c)
			},
			Confirm: write, Cancel: write,
		}},
		Open: func(ctx context.Context, owner sagasql.Service) (inbox.Source, error) {
			consumer, err := rabbit.OpenConsumer(ctx, broker, rabbit.CommandTopology(owner), protocol.CommandQueue(owner.Name), 200)
			if err != nil {
				return nil, err // and no nil pointer inside of the interface
			}
			return consumer, nil
		},
	}
}

func (m *mixed) hotel() (stop func()) {
	m.Helper()
	p, err := participant.New(m.config("hotel"))
	require.NoError(m, err)
	return m.run(p.Run)
}

func (m *mixed) count(db *pgxpool.Pool, query string) (n int) {
	m.Helper()
	require.NoError(m, db.QueryRow(m.Context(), query).Scan(&n))
	return n
}

// start begins the n-th saga; each fifth is refused by the payment, each seventh by the hotel.
func (m *mixed) start(n int) {
	m.Helper()
	payload := jsonmap.JSONMap{}
	switch {
	case n%7 == 0:
		payload["refuses"] = "hotel"
	case n%5 == 0:
		payload["refuses"] = "payment"
	}
	require.NoError(m, pgx.BeginFunc(m.Context(), m.sagas, func(tx pgx.Tx) error {
		_, _, err := m.store.Start(m.Context(), tx, m.def, sagapg.StartRequest{BusinessKey: fmt.Sprint(n), Payload: payload})
		return err
	}))
}

// rudeServer serves a participant, and mistreats each fifth request or so.
type rudeServer struct {
	t       testing.TB
	handler http.Handler
	addr    string
	url     string
	rude    atomic.Bool
	n, bad  atomic.Int64
	server  *http.Server
}

func newRudeServer(t testing.TB, handler http.Handler) *rudeServer {
	s := &rudeServer{t: t, handler: handler}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.addr = listener.Addr().String()
	s.url = "http://" + s.addr
	s.serve(listener)
	t.Cleanup(func() { _ = s.server.Close() })
	return s
}

func (s *rudeServer) serve(listener net.Listener) {
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.server.Serve(listener) }()
}

// away closes the server for a while.
func (s *rudeServer) away(d time.Duration) {
	s.t.Helper()
	require.NoError(s.t, s.server.Close())
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
	var listener net.Listener
	require.Eventually(s.t, func() (ok bool) {
		var err error
		listener, err = net.Listen("tcp", s.addr)
		return err == nil
	}, patience, 10*time.Millisecond)
	s.serve(listener)
}

// ServeHTTP implements [http.Handler].
func (s *rudeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.n.Add(1)
	kind := 0
	if s.rude.Load() {
		kind = rand.IntN(40)
	}
	if kind > 0 && kind < 9 {
		s.bad.Add(1)
	}
	switch kind {
	case 1: // it never arrives
		panic(http.ErrAbortHandler)
	case 2: // it is done, and nobody hears of it
		s.handler.ServeHTTP(nobody{http.Header{}}, r)
		panic(http.ErrAbortHandler)
	case 3: // the answer ends early
		s.handler.ServeHTTP(nobody{http.Header{}}, r)
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte(`{"by":`))
	case 4: // a proxy gives up
		s.handler.ServeHTTP(nobody{http.Header{}}, r)
		w.WriteHeader(http.StatusBadGateway)
	case 5:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	case 6: // not yet, and done behind that
		s.handler.ServeHTTP(nobody{http.Header{}}, r)
		w.WriteHeader(http.StatusAccepted)
	case 7: // too late
		s.handler.ServeHTTP(nobody{http.Header{}}, r)
		<-r.Context().Done()
	case 8: // a page for people
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<h1>maintenance</h1>"))
	default:
		s.handler.ServeHTTP(w, r)
	}
}

// nobody hears a response.
type nobody struct{ header http.Header }

func (n nobody) Header() http.Header            { return n.header }
func (n nobody) Write(text []byte) (int, error) { return len(text), nil }
func (n nobody) WriteHeader(int)                {}

// Sagas whose steps go by the broker and by HTTP, in mode tcc, while the relay is killed, the
// participant by the broker restarts and the one by HTTP is rude, and away for a while: each
// saga ends as it has to, and each deed is done once.
func TestMixedTransportsUnderFaults(t *testing.T) {
	t.Parallel()
	const sagas = 500
	m := newMixed(t)
	m.web.rude.Store(true)
	relay := startRelay(t, "DATABASE_URLS="+m.sagas.Config().ConnString()+" "+m.deeds["hotel"].Config().ConnString(),
		"AMQP_URL="+m.url, "RELAY_LEASE=1s", "HTTP_TARGETS="+m.web.url, "HTTP_TIMEOUT=500ms")
	stopHotel := m.hotel()
	faults := map[int]func(){
		100: func() { relay.kill(); relay.start() },
		200: func() { stopHotel(); stopHotel = m.hotel() },
		300: func() { m.web.away(2 * time.Second) },
		400: func() { relay.kill(); relay.start() },
	}
	for n := range sagas {
		if fault := faults[n]; fault != nil {
			fault()
		}
		m.start(n)
	}
	require.Eventually(t, func() bool { return m.count(m.sagas, `SELECT count(*) FROM saga WHERE ended_at IS NULL`) == 0 },
		patience, 50*time.Millisecond, "every saga ends")
	t.Logf("%d requests for %d sagas, %d mistreated", m.web.n.Load(), sagas, m.web.bad.Load())
	require.Greater(t, m.web.bad.Load(), int64(50))

	require.Zero(t, m.count(m.sagas, `SELECT count(*) FROM saga
		WHERE status <> CASE WHEN business_key::integer % 7 = 0 OR business_key::integer % 5 = 0 THEN 'ABORTED' ELSE 'COMPLETED' END`))
	completed := lines(t, m.sagas, `SELECT id::text FROM saga WHERE status = 'COMPLETED' ORDER BY 1`)
	reserved := lines(t, m.sagas, `SELECT id::text FROM saga WHERE business_key::integer % 7 <> 0 ORDER BY 1`)
	for name, asked := range map[string][]string{"hotel": reserved, "payment": completed} {
		deeds := m.deeds[name]
		require.Equal(t, asked, lines(t, deeds, `SELECT saga_id::text FROM deed WHERE operation = 'REQUEST' ORDER BY 1`), name)
		require.Equal(t, completed, lines(t, deeds, `SELECT saga_id::text FROM deed WHERE operation = 'CONFIRM' ORDER BY 1`), name)
	}
	require.Len(t, lines(t, m.deeds["hotel"], `SELECT saga_id::text FROM deed WHERE operation = 'CANCEL'`), len(reserved)-len(completed))
	require.Zero(t, m.count(m.deeds["payment"], `SELECT count(*) FROM deed WHERE operation = 'CANCEL'`))
	require.Eventually(t, func() bool {
		return m.count(m.sagas, `SELECT (SELECT coalesce(sum(pending), 0) FROM outbox_lag) + (SELECT count(*) FROM outbox_parked)`) == 0
	}, patience, 50*time.Millisecond, "nothing is left to send")
	require.Zero(t, m.count(m.sagas, `SELECT count(*) FROM inbox_quarantine`))
}
