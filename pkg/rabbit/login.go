package rabbit

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/internal/address"
)

// server is one address that a session may be opened at.
type server struct {
	url  string
	uri  amqp.URI
	name string // host and port
}

// CheckURL judges what [Config].URL gives. It connects to nothing. The error is [ErrURL],
// and holds nothing of the text.
func CheckURL(text string) error {
	_, err := parseURL(text)
	return err
}

// parseURL reads the addresses, and sees to it that the library reads them likewise. Its
// error never quotes them, as those of net/url and of the library do.
func parseURL(text string) ([]server, error) {
	brokers, err := address.Brokers(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	servers := make([]server, len(brokers))
	for i, b := range brokers {
		uri, err := amqp.ParseURI(b.URL)
		if err != nil {
			return nil, fmt.Errorf("%w: %w: a parameter behind \"?\" has a value that it cannot have", ErrURL, address.ErrRefused)
		}
		if uri.Host != b.Host || uri.Port != b.Port || uri.Vhost != b.Vhost || (uri.Scheme == "amqps") != b.TLS {
			return nil, fmt.Errorf("%w: %w: it can be read in two ways", ErrURL, address.ErrRefused)
		}
		servers[i] = server{b.URL, uri, net.JoinHostPort(b.Host, strconv.Itoa(b.Port))}
	}
	return servers, nil
}

// logins are the mechanisms that the URL names, made anew for each dial.
func logins(uri amqp.URI, properties amqp.Table) []amqp.Authentication {
	names := uri.AuthMechanism
	if len(names) == 0 {
		names = []string{"PLAIN"}
	}
	mechanisms := make([]amqp.Authentication, 0, len(names))
	for _, name := range names {
		var mechanism amqp.Authentication
		switch strings.ToUpper(name) {
		case "PLAIN":
			mechanism = uri.PlainAuth()
		case "AMQPLAIN":
			mechanism = uri.AMQPlainAuth()
		case "EXTERNAL":
			mechanism = &amqp.ExternalAuth{}
		default:
			continue // none left: the library reports that no mechanism is shared
		}
		mechanisms = append(mechanisms, login{mechanism, properties})
	}
	return mechanisms
}

// login asks the broker to answer a failed login with its reason. Without that
// capability RabbitMQ stays silent for 3 s and drops the socket, which looks
// like a broker that died. The library announces a fixed set of capabilities; it
// asks for the response after it has put them into the properties and before it
// sends both, so here is the place to add one.
type login struct {
	amqp.Authentication
	properties amqp.Table
}

func (l login) Response() string {
	if capabilities, ok := l.properties["capabilities"].(amqp.Table); ok {
		capabilities["authentication_failure_close"] = true
	}
	return l.Authentication.Response()
}
