package rabbit

import (
	"net/url"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// parseURL reads the broker's URL. Its error never quotes the URL, as those of
// net/url and of the library do.
func parseURL(text string) (amqp.URI, error) {
	uri, err := amqp.ParseURI(text)
	if err != nil {
		return amqp.URI{}, ErrURL
	}
	// An unescaped "/", "?" or "#" in the password ends the authority early: the
	// user then reads as the host and the start of the password as the port,
	// which would show up in the dial's error.
	if u, err := url.Parse(text); err != nil || u.User == nil && strings.Contains(text, "@") {
		return amqp.URI{}, ErrURL
	}
	return uri, nil
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
