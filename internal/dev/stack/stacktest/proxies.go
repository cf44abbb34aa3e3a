package stacktest

import (
	"testing"

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
	p := Proxies{
		Broker:      testenv.StartProxy(t, settings.AMQP),
		Reservation: testenv.StartProxy(t, settings.Reservation),
		Hotel:       testenv.StartProxy(t, settings.Hotel),
		Payment:     testenv.StartProxy(t, settings.Payment),
	}
	settings.AMQP = p.Broker.URL
	settings.Reservation, settings.Hotel, settings.Payment = p.Reservation.URL, p.Hotel.URL, p.Payment.URL
	arrange(p)
	s.launch(t, settings)
	return s, p
}
