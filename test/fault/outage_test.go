package fault

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/dev/stack/stacktest"
	"go.example/saga/internal/testenv"
)

// many are enough reservations to have some at every place of their way.
const many = 60

// launch is a ready stack behind proxies.
func launch(t *testing.T) (*stacktest.Stack, stacktest.Proxies) {
	t.Helper()
	s, p := stacktest.Launch(t, func(stacktest.Proxies) {})
	require.NoError(t, s.Ready(t.Context()))
	return s, p
}

// outlast waits until the outage has lasted for a while and is still being
// knocked at: the daemons do not give up.
func outlast(t *testing.T, p *testenv.Proxy) {
	t.Helper()
	const outage = 3 * time.Second
	start, before := time.Now(), p.Refused()
	require.Eventually(t, func() bool { return time.Since(start) > outage }, patience, 50*time.Millisecond)
	turnedAway := p.Refused()
	require.Greater(t, turnedAway, before)
	require.Eventually(t, func() bool { return p.Refused() > turnedAway }, patience, 5*time.Millisecond)
	t.Logf("away for %v, %d connections refused", time.Since(start).Round(time.Millisecond), p.Refused())
}

// awaitTrouble waits until the daemons themselves say that they cannot work.
func awaitTrouble(t *testing.T, s *stacktest.Stack, daemons ...string) {
	t.Helper()
	for _, name := range daemons {
		require.Eventually(t, func() bool { return s.Health(t.Context(), name) != nil }, patience, 20*time.Millisecond, "%s notices", name)
	}
}

func awaitHealth(t *testing.T, s *stacktest.Stack, name string) {
	t.Helper()
	require.Eventually(t, func() bool { return s.Health(t.Context(), name) == nil }, patience, 20*time.Millisecond, "%s works", name)
}

// recovered checks the outcome and says how long it took from the end of the
// outage.
func recovered(t *testing.T, s *stacktest.Stack, ids []string, since time.Time) {
	t.Helper()
	require.NoError(t, s.Ready(t.Context()))
	t.Logf("ready again after %v", time.Since(since).Round(time.Millisecond))
	requireAllWell(t, s, ids)
	t.Logf("all well after %v", time.Since(since).Round(time.Millisecond))
}

func TestBrokerIsAwayAtStart(t *testing.T) {
	t.Parallel()
	s, p := stacktest.Launch(t, func(p stacktest.Proxies) { p.Broker.Down() })
	ids := arrive(t, s, many).served(t)
	require.Equal(t, many, pending(t, s), "accepted without a broker, and waiting")
	require.NoError(t, s.Health(t.Context(), "reservation"), "it can do its work")
	awaitTrouble(t, s, "relay", "orchestrator", "hotel", "payment")
	outlast(t, p.Broker)
	p.Broker.Heal()
	recovered(t, s, ids, time.Now())
}

// A cut comes as soon as a reply has been heard again, so that the sagas are at
// other places of their way.
func TestBrokerConnectionsAreCutAgainAndAgain(t *testing.T) {
	t.Parallel()
	s, p := launch(t)
	g := arrive(t, s, many)
	heard := func() int {
		return stacktest.Count(t, s.Reservation, `SELECT count(*) FROM saga_history WHERE kind = 'reply'`)
	}
	cuts := 0
	for from := 0; cuts < 6; from = heard() {
		var open, cut int
		require.Eventually(t, func() bool {
			if open = pending(t, s); open > 0 && heard() > from {
				cut = p.Broker.Cut()
			}
			return cut > 0 || open == 0 && g.placed.Load() == many
		}, patience, time.Millisecond)
		if cut == 0 {
			break
		}
		cuts++
		t.Logf("cut %d connections with %d reservations pending", cut, open)
	}
	require.GreaterOrEqual(t, cuts, 2)
	recovered(t, s, g.served(t), time.Now())
}

// No byte comes through and nobody says so: only the heartbeats tell.
func TestBrokerFallsSilent(t *testing.T) {
	t.Parallel()
	s, p := launch(t)
	g := arrive(t, s, many)
	g.awaitPlaced(t, many/3)
	p.Broker.Stall()
	start := time.Now()
	ids := g.served(t)
	require.Positive(t, pending(t, s))
	awaitTrouble(t, s, "relay", "orchestrator", "hotel", "payment")
	t.Logf("noticed by all after %v", time.Since(start).Round(time.Millisecond))
	p.Broker.Heal()
	recovered(t, s, ids, time.Now())
}

// Reservations are still accepted while a participant's database is away.
func TestParticipantDatabaseGoesAway(t *testing.T) {
	t.Parallel()
	for name, proxy := range map[string]func(stacktest.Proxies) *testenv.Proxy{
		"hotel":   func(p stacktest.Proxies) *testenv.Proxy { return p.Hotel },
		"payment": func(p stacktest.Proxies) *testenv.Proxy { return p.Payment },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := launch(t)
			g := arrive(t, s, many)
			g.awaitPlaced(t, many/3)
			proxy(p).Down()
			ids := g.served(t)
			outlast(t, proxy(p))
			require.Positive(t, pending(t, s))
			require.ErrorContains(t, s.Health(t.Context(), "relay"), "database-down")
			proxy(p).Heal()
			recovered(t, s, ids, time.Now())
		})
	}
}

// Guests are told to come again, and one who does so under the same key has one
// reservation.
func TestReservationDatabaseGoesAway(t *testing.T) {
	t.Parallel()
	s, p := launch(t)
	g := arrive(t, s, many)
	g.awaitPlaced(t, many/3)
	p.Reservation.Down()
	open := pending(t, s)
	late, _ := wish(many)
	for range 20 { // more often than the service has connections
		answer, err := s.Ask(t.Context(), late, key(many))
		require.NoError(t, err)
		requireTryLater(t, answer)
	}
	awaitTrouble(t, s, "relay", "orchestrator")
	outlast(t, p.Reservation)
	t.Logf("away with %d reservations pending", open)
	p.Reservation.Heal()
	back := time.Now()
	id, err := s.Place(t.Context(), late, key(many))
	require.NoError(t, err)
	again, err := s.Place(t.Context(), late, key(many))
	require.NoError(t, err)
	require.Equal(t, id, again)
	recovered(t, s, append(g.served(t), id), back)
}

// A database from which no byte comes and nobody says so is told by the bounds of
// the daemons' own statements; guests do not wait for longer.
func TestReservationDatabaseFallsSilent(t *testing.T) {
	t.Parallel()
	s, p := launch(t)
	g := arrive(t, s, many)
	g.awaitPlaced(t, many/3)
	p.Reservation.Stall()
	late, _ := wish(many)
	start := time.Now()
	answer, err := s.Ask(t.Context(), late, key(many))
	require.NoError(t, err)
	requireTryLater(t, answer)
	t.Logf("a guest was told so after %v", time.Since(start).Round(time.Millisecond))
	awaitTrouble(t, s, "relay", "orchestrator")
	t.Logf("noticed by all after %v", time.Since(start).Round(time.Millisecond))
	p.Reservation.Heal()
	back := time.Now()
	id, err := s.Place(t.Context(), late, key(many))
	require.NoError(t, err)
	recovered(t, s, append(g.served(t), id), back)
}

func requireTryLater(t *testing.T, answer stacktest.Answer) {
	t.Helper()
	require.Equal(t, http.StatusServiceUnavailable, answer.Status, "%s", answer.Body)
	require.Equal(t, "application/problem+json", answer.Header.Get("Content-Type"))
	require.NotEmpty(t, answer.Header.Get("Retry-After"))
	var problem struct {
		Status int
		Detail string
	}
	require.NoError(t, json.Unmarshal(answer.Body, &problem))
	require.Equal(t, http.StatusServiceUnavailable, problem.Status)
	require.NotEmpty(t, problem.Detail)
}

// The hotel, the payments and the relay start before the databases.
func TestParticipantDatabasesAreAwayAtStart(t *testing.T) {
	t.Parallel()
	s, p := stacktest.Launch(t, func(p stacktest.Proxies) {
		p.Hotel.Down()
		p.Payment.Down()
	})
	ids := arrive(t, s, many).served(t)
	awaitTrouble(t, s, "relay", "hotel", "payment")
	outlast(t, p.Hotel)
	require.Equal(t, many, pending(t, s))
	p.Hotel.Heal()
	awaitHealth(t, s, "hotel")
	booked := func() bool { return stacktest.Count(t, s.Hotel, `SELECT count(*) FROM booking`) == many*4/5 }
	require.Eventually(t, booked, patience, 20*time.Millisecond)
	require.Error(t, s.Health(t.Context(), "payment"))
	p.Payment.Heal()
	recovered(t, s, ids, time.Now())
}

// Daemons that are told to stop while a server is away end in time and in order,
// and what was under way goes on after the next start.
func TestDaemonsStopDuringAnOutage(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(stacktest.Proxies){
		"broker down":     func(p stacktest.Proxies) { p.Broker.Down() },
		"broker silent":   func(p stacktest.Proxies) { p.Broker.Stall() },
		"database down":   func(p stacktest.Proxies) { p.Hotel.Down() },
		"database silent": func(p stacktest.Proxies) { p.Hotel.Stall() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := launch(t)
			g := arrive(t, s, many)
			g.awaitPlaced(t, many/3)
			away(p)
			ids := g.served(t)
			require.Positive(t, pending(t, s))
			start := time.Now()
			require.NoError(t, s.Stop())
			t.Logf("stopped after %v", time.Since(start).Round(time.Millisecond))
			p.Broker.Heal()
			p.Hotel.Heal()
			back := time.Now()
			for _, daemon := range stack.Daemons {
				require.NoError(t, s.Restart(t.Context(), daemon))
			}
			recovered(t, s, ids, back)
		})
	}
}
