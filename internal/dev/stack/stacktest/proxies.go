package stacktest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/testenv"
)

// Proxies stand between the daemons and their servers.
type Proxies struct {
	Broker, Reservation, Hotel, Payment *testenv.Proxy
}

// Launch starts the daemons behind proxies, after arrange has had its way with
// those, and does not wait until the daemons are ready. It ends as [Start] does.
// The database of the reservation service has to be there, for the definition.
func Launch(t *testing.T, arrange func(Proxies)) (*Stack, Proxies) {
	t.Helper()
	s, settings := prepare(t)
	p := s.behindProxies(t, &settings)
	arrange(p)
	s.launch(t, settings)
	return s, p
}

// StartBehindPoolers starts the daemons with a pooler in transaction mode, over two sessions,
// in front of each database; reservation is the address of one.
func StartBehindPoolers(t *testing.T) (s *Stack, reservation string) {
	t.Helper()
	s, settings := prepare(t)
	settings.Reservation = testenv.PgBouncer(t, s.Reservation)
	settings.Hotel = testenv.PgBouncer(t, s.Hotel)
	settings.Payment = testenv.PgBouncer(t, s.Payment)
	s.launch(t, settings)
	require.NoError(t, s.Ready(t.Context()))
	return s, settings.Reservation
}

// StartToMove starts the daemons behind proxies, with addresses that stand in files. move
// takes the proxies away and writes the servers' own addresses.
func StartToMove(t *testing.T) (s *Stack, move func()) {
	t.Helper()
	s, settings := prepare(t)
	settings.AddressDir = t.TempDir()
	direct := settings
	p := s.behindProxies(t, &settings)
	s.launch(t, settings)
	require.NoError(t, s.Ready(t.Context()))
	return s, func() {
		t.Helper()
		require.NoError(t, s.WriteAddresses(direct))
		for _, proxy := range []*testenv.Proxy{p.Broker, p.Reservation, p.Hotel, p.Payment} {
			proxy.Down()
		}
	}
}

// StartAs starts the daemons on servers of the test's own, which s names as their administrator
// reaches them. The daemons read their addresses from files; address turns one of s into theirs,
// and rewrite has it do so again.
func (s *Stack) StartAs(t *testing.T, address func(string) string) (rewrite func()) {
	t.Helper()
	settings := s.prepare(t)
	settings.AddressDir = t.TempDir()
	settings.AMQP = address(s.AMQP)
	settings.As = func(_, url string) string { return address(url) }
	s.launch(t, settings)
	require.NoError(t, s.Ready(t.Context()))
	return func() {
		t.Helper()
		settings.AMQP = address(s.AMQP)
		require.NoError(t, s.WriteAddresses(settings))
	}
}

func (s *Stack) behindProxies(t *testing.T, settings *stack.Settings) Proxies {
	t.Helper()
	p := Proxies{
		Broker:      testenv.StartProxy(t, settings.AMQP),
		Reservation: testenv.StartProxy(t, settings.Reservation),
		Hotel:       testenv.StartProxy(t, settings.Hotel),
		Payment:     testenv.StartProxy(t, settings.Payment),
	}
	settings.AMQP = p.Broker.URL
	settings.Reservation, settings.Hotel, settings.Payment = p.Reservation.URL, p.Hotel.URL, p.Payment.URL
	return p
}
