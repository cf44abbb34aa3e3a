package sample_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app"
	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/app/sample"
	"go.example/saga/internal/config"
	"go.example/saga/internal/sample/hotel"
	"go.example/saga/internal/sample/lookup"
	"go.example/saga/internal/sample/reservation"
	"go.example/saga/internal/sample/reservation/api"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/compose"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func settings(t *testing.T, db *pgxpool.Pool, vhost string) sample.Settings {
	t.Helper()
	return sample.Settings{
		Service:  testenv.Service,
		Database: config.Database{DatabaseURL: config.Secret(db.Config().ConnString())}, Broker: config.Broker{AMQPURL: config.Secret(vhost)},
		HealthAddr: freeAddr(t), LogLevel: "error",
	}
}

func handlers(s sample.Settings) sample.ParticipantSettings {
	all := sample.DefaultParticipantSettings(s.Service)
	all.Settings = s
	return all
}

var (
	hotelService   = sample.Hotel()
	paymentService = sample.Payment()
)

// daemon runs until the test ends and must stop without an error.
func daemon(t *testing.T, serve func(context.Context) error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
}

// serve runs a relay for the database: without one a participant takes no commands.
func serve(t *testing.T, db *pgxpool.Pool, vhost string) {
	t.Helper()
	r := relay.DefaultSettings()
	r.DatabaseURLs, r.AMQPURL, r.LogLevel = config.Secret(db.Config().ConnString()), config.Secret(vhost), "error"
	daemon(t, func(ctx context.Context) error { return relay.Run(ctx, r) })
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 30*time.Second, 20*time.Millisecond, what)
}

// publish publishes as soon as there is a queue for the message.
func publish(t *testing.T, vhost string, m outbox.Message) {
	t.Helper()
	ctx := context.Background()
	p, err := rabbit.OpenPublisher(ctx, rabbit.Config{Name: "test", URL: func(context.Context) (string, error) { return vhost, nil }}, 8)
	require.NoError(t, err)
	defer func() { _ = p.Close() }()
	eventually(t, "published", func() bool {
		wait, err := p.Publish(ctx, &outbox.Record{Message: m})
		require.NoError(t, err)
		err = wait(ctx)
		require.True(t, err == nil || errors.Is(err, outbox.ErrUnroutable), "%v", err)
		return err == nil
	})
}

// Each bound of the handlers is a setting, and a pool cuts off no statement within the limit.
func TestHandlerSettings(t *testing.T) {
	t.Parallel()
	s := handlers(settings(t, testenv.Database(t), "amqp://guest:guest@127.0.0.1:5672/"))
	require.NoError(t, s.Validate())
	s.Workers, s.Budget, s.Limit = 65, 0, -1
	err := s.Validate()
	for _, name := range []string{"HANDLER_WORKERS is 65", "HANDLER_BUDGET is 0s", "HANDLER_LIMIT is -1ns"} {
		require.ErrorContains(t, err, name)
	}
	for limit, want := range map[time.Duration]string{time.Second: "30s", 2 * time.Minute: "2min"} {
		pool, err := app.OpenHandlersPool(t.Context(), s.DatabaseAddress, "test", 1, limit)
		require.NoError(t, err)
		var value string
		require.NoError(t, pool.QueryRow(t.Context(), `SHOW statement_timeout`).Scan(&value))
		pool.Close()
		require.Equal(t, want, value)
	}
}

// From an empty database to a reply in the outbox, over the real broker, and a booking that
// is shown.
func TestHotelDaemon(t *testing.T) {
	t.Parallel()
	db, vhost := testenv.Database(t), testenv.Vhost(t)
	s := handlers(settings(t, db, vhost))
	s.ListenAddr = freeAddr(t)
	daemon(t, func(ctx context.Context) error { return hotelService.Serve(ctx, s) })
	ctx := context.Background()
	eventually(t, "not ready", func() bool {
		err := app.CheckHealth(ctx, s.HealthAddr)
		return err != nil && strings.Contains(err.Error(), "commands: relay: ")
	})
	serve(t, db, vhost)
	eventually(t, "ready", func() bool { return app.CheckHealth(ctx, s.HealthAddr) == nil })
	id := uuid.New()
	m, err := protocol.CommandMessage("trips", saga.State{ID: saga.ID(id), Type: "room-reservation"}, saga.SendCommand{
		Step: hotel.StepName, Operation: saga.Request, Attempt: 1, Destination: testenv.Service,
		Payload: jsonmap.JSONMap{"hotelId": 1, "roomId": 3, "startDate": "2027-01-10", "endDate": "2027-01-12"},
	})
	require.NoError(t, err)
	publish(t, vhost, m)
	eventually(t, "booked and answered", func() bool {
		var n int
		err := db.QueryRow(ctx, `SELECT count(*) FROM booking, outbox WHERE headers ->> $1 = 'succeeded'`, protocol.HeaderSagaOutcome).Scan(&n)
		return err == nil && n == 1
	})
	var client compose.Client
	shown, err := client.Get(ctx, "http://"+s.ListenAddr+lookup.Path(hotel.Thing, id.String()))
	require.NoError(t, err)
	require.Contains(t, string(shown), `"roomId":3`)
}

// The service waits for the definition, and learns a saga's end from its event.
func TestReservationDaemon(t *testing.T) {
	t.Parallel()
	db, vhost := testenv.Database(t), testenv.Vhost(t)
	s := sample.DefaultReservationSettings()
	s.Settings, s.ListenAddr = settings(t, db, vhost), freeAddr(t)
	daemon(t, func(ctx context.Context) error { return sample.ServeReservation(ctx, s) })
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	post := func() (int, api.Body) {
		res, err := client.Post("http://"+s.ListenAddr+api.Path, "application/json", strings.NewReader(`{"hotelId": 1, "roomId": 1,
			"startDate": "2027-01-10", "endDate": "2027-01-12", "guestId": "g", "paymentDue": 1, "creditCardNo": "************7999"}`))
		if err != nil {
			return 0, api.Body{}
		}
		defer func() { _ = res.Body.Close() }()
		var body api.Body
		_ = json.NewDecoder(res.Body).Decode(&body)
		return res.StatusCode, body
	}
	ctx := context.Background()
	eventually(t, "503 before the definition", func() bool { status, _ := post(); return status == http.StatusServiceUnavailable })
	eventually(t, "not ready, and why", func() bool {
		err := app.CheckHealth(ctx, s.HealthAddr)
		return err != nil && strings.Contains(err.Error(), "definition")
	})

	policy := saga.Policy{Timeout: time.Second, RetryFor: time.Minute, Retry: saga.Retry{Initial: time.Second, Factor: 2, Max: time.Minute, Attempts: 3}}
	_, err := sagapg.New("", testenv.Service).ApplyDefinition(ctx, db, saga.Definition{
		Name: reservation.SagaType, Version: 1, Mode: saga.Sequence,
		Steps: []saga.StepDefinition{{Name: hotel.StepName, Kind: saga.Command, Type: saga.Compensatable, Destination: hotel.StepName, Request: policy, Cancel: policy}},
	})
	require.NoError(t, err)
	eventually(t, "ready", func() bool { return app.CheckHealth(ctx, s.HealthAddr) == nil })
	status, placed := post()
	require.Equal(t, http.StatusAccepted, status)

	var id uuid.UUID
	require.NoError(t, db.QueryRow(ctx, `SELECT saga_id FROM reservation WHERE id = $1`, placed.ReservationID).Scan(&id))
	m, err := protocol.EventMessage("trips", saga.State{ID: saga.ID(id), Type: reservation.SagaType, Status: saga.StatusCompleted},
		saga.EmitEvent{Kind: saga.EventCompleted})
	require.NoError(t, err)
	publish(t, vhost, m)
	eventually(t, "the end is known", func() bool {
		var status string
		err := db.QueryRow(ctx, `SELECT status FROM reservation`).Scan(&status)
		return err == nil && status == string(reservation.Succeed)
	})
}

// A saga can end, and its event go past, before the service first reaches the
// broker and has a queue there.
func TestReservationHearsOfSagasThatEndedBefore(t *testing.T) {
	t.Parallel()
	db, vhost := testenv.Database(t, sagasql.Outbox, sagasql.Saga, sagasql.Inbox, sagasql.Reservation), testenv.Vhost(t)
	ctx, store, service := context.Background(), sagapg.New("", testenv.Service), reservation.NewService(db, "", testenv.Service)
	policy := saga.Policy{Timeout: time.Second, RetryFor: time.Minute, Retry: saga.Retry{Initial: time.Second, Factor: 2, Max: time.Minute, Attempts: 3}}
	_, err := store.ApplyDefinition(ctx, db, saga.Definition{
		Name: reservation.SagaType, Version: 1, Mode: saga.Sequence,
		Steps: []saga.StepDefinition{{Name: hotel.StepName, Kind: saga.Command, Type: saga.Compensatable, Destination: hotel.StepName, Request: policy, Cancel: policy}},
	})
	require.NoError(t, err)
	_, err = service.LoadDefinition(ctx)
	require.NoError(t, err)
	card, err := reservation.ParseCardNumber("************7999")
	require.NoError(t, err)
	place := func(outcomes ...saga.Outcome) uuid.UUID {
		placed, err := service.Place(ctx, reservation.Request{
			HotelID: 1, RoomID: 1, GuestID: "g", Start: time.Unix(0, 0), End: time.Unix(86400, 0), Card: card,
		}, "")
		require.NoError(t, err)
		var id uuid.UUID
		require.NoError(t, db.QueryRow(ctx, `SELECT saga_id FROM reservation WHERE id = $1`, placed.ID).Scan(&id))
		require.NoError(t, pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			for _, outcome := range outcomes {
				loaded, now, err := store.Load(ctx, tx, []saga.ID{saga.ID(id)})
				require.NoError(t, err)
				next := saga.Step(loaded[0].Definition, loaded[0].State, saga.Reply{
					Step: hotel.StepName, Operation: saga.Request, Outcome: outcome, Problem: saga.Problem{Detail: "taken"},
				}, now)
				require.NoError(t, store.Save(ctx, tx, []sagapg.Change{{next}}))
			}
			return nil
		}))
		return placed.ID
	}
	granted, refused, open := place(saga.OutcomeSucceeded), place(saga.OutcomeFailed), place()

	s := sample.DefaultReservationSettings()
	s.Settings, s.ListenAddr = settings(t, db, vhost), freeAddr(t)
	daemon(t, func(ctx context.Context) error { return sample.ServeReservation(ctx, s) })
	for id, want := range map[uuid.UUID]reservation.Status{granted: reservation.Succeed, refused: reservation.Failed} {
		eventually(t, string(want), func() bool { r, err := service.Get(ctx, id); return err == nil && r.Status == want })
	}
	r, err := service.Get(ctx, refused)
	require.NoError(t, err)
	require.Equal(t, "taken", r.FailureReason)
	r, err = service.Get(ctx, open)
	require.NoError(t, err)
	require.Equal(t, reservation.Pending, r.Status)
}

// A database that is not there yet is waited for: the daemon is alive and not
// ready. SIGTERM meanwhile is no error.
func TestDaemonWaitsForItsDatabase(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]config.Secret{
		"nobody listens":   "postgres://postgres@127.0.0.1:1/saga_x",
		"no such database": config.Secret(withDatabase(t, testenv.Database(t), "saga_test_absent")),
	} {
		ctx, stop := context.WithCancel(context.Background())
		s := sample.Settings{Service: "hotel", Database: config.Database{DatabaseURL: address}, Broker: config.Broker{AMQPURL: "amqp://127.0.0.1:1/"}, LogLevel: "error", HealthAddr: freeAddr(t)}
		ended := make(chan error, 1)
		go func() {
			ended <- hotelService.Serve(ctx, handlers(s))
		}()
		eventually(t, name+": alive", func() bool { return alive(s.HealthAddr) })
		require.Error(t, app.CheckHealth(ctx, s.HealthAddr), "%s: not ready", name)
		require.Empty(t, ended, "%s: it gave up by itself", name)
		stop()
		require.NoError(t, <-ended, name)
	}
}

func alive(addr string) bool {
	res, err := http.Get("http://" + addr + "/livez")
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// A connection that breaks in the middle of the migration ends no daemon.
func TestDaemonMigratesAgainAfterALostConnection(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t)
	proxy, vhost := testenv.StartProxy(t, db.Config().ConnString()), testenv.Vhost(t)
	s := settings(t, db, vhost)
	s.DatabaseURL = config.Secret(proxy.URL)
	ctx := context.Background()
	other, err := db.Begin(ctx) // another migration, at work
	require.NoError(t, err)
	defer func() { _ = other.Rollback(ctx) }()
	_, err = other.Exec(ctx, sagasql.Query("", "migration/lock.sql"))
	require.NoError(t, err)
	daemon(t, func(ctx context.Context) error {
		return hotelService.Serve(ctx, handlers(s))
	})
	eventually(t, "the daemon waits for the other migration", func() bool {
		var waiting bool
		err := db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waiting)
		return err == nil && waiting
	})
	require.Positive(t, proxy.Cut())
	require.NoError(t, other.Rollback(ctx))
	serve(t, db, vhost)
	eventually(t, "ready", func() bool { return app.CheckHealth(ctx, s.HealthAddr) == nil })
}

func withDatabase(t *testing.T, db *pgxpool.Pool, name string) string {
	t.Helper()
	u, err := url.Parse(db.Config().ConnString())
	require.NoError(t, err)
	u.Path = "/" + name
	return u.String()
}

func TestSettingsNameWhatIsMissing(t *testing.T) {
	t.Parallel()
	var none sample.ReservationSettings
	err := errors.Join(none.RequireBroker(), none.Validate())
	for _, variable := range []string{"DATABASE_URL", "AMQP_URL", "LISTEN_ADDR"} {
		require.ErrorContains(t, err, variable)
	}
	for _, bound := range []int{-1, 1_000_001} {
		require.ErrorContains(t, (&sample.ReservationSettings{MaxRunning: bound}).Validate(), "RESERVATION_MAX_RUNNING")
	}
	for _, within := range []time.Duration{0, -time.Second, time.Minute} {
		require.ErrorContains(t, (&sample.ReservationSettings{PartsWithin: within}).Validate(), "PARTS_WITHIN")
	}
	for _, address := range []string{"hotel:8080", "http://", "http://:80", "ftp://hotel", "http://u:hush@hotel", "http://hotel?a=b", "http://hotel/#a", "http://[::1", "/hotel"} {
		err := (&sample.ReservationSettings{HotelURL: address, PaymentURL: address}).Validate()
		require.ErrorContains(t, err, "HOTEL_URL is no URL", address)
		require.ErrorContains(t, err, "PAYMENT_URL is no URL", address)
		require.NotContains(t, err.Error(), "hush")
	}
	for _, address := range []string{"", "http://hotel", "https://hotel:8443/base/", "http://[::1]:8082"} {
		require.NotContains(t, (&sample.ReservationSettings{HotelURL: address}).Validate().Error(), "HOTEL_URL", address)
	}
	require.NotContains(t, config.Database{DatabaseURL: "postgres://u:hush@h/d"}.DatabaseURL.String(), "hush")
}

// A role that is no owner serves where the tables are there, and else says what has to be
// done.
func TestAServiceThatMayNotMigrate(t *testing.T) {
	t.Parallel()
	db, vhost := testenv.Database(t), testenv.Vhost(t)
	begin := func(as *pgxpool.Pool) error {
		return paymentService.Serve(t.Context(), handlers(settings(t, as, vhost)))
	}
	_, as := testenv.Login(t, db)
	err := begin(as)
	require.ErrorContains(t, err, "42501")
	require.ErrorContains(t, err, "run the command migrate as the owner of the tables")
	require.NoError(t, sagasql.Up(t.Context(), db.Config().ConnString(), "", sample.ParticipantLines(sagasql.Payment)...))
	require.ErrorContains(t, begin(as), "GRANT SELECT ON public.saga_migration")
}
