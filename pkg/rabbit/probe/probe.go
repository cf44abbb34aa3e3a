// Package probe asks a RabbitMQ who it is. It stands apart from package rabbit,
// whose tests need the set-up of the services, which needs this.
package probe

import (
	"context"
	"errors"
	"net"

	amqp "github.com/rabbitmq/amqp091-go"
)

// ErrURL is the error for an address that is not of the form
// amqp://user:password@host:port/vhost. It does not quote the address.
var ErrURL = errors.New("the address of RabbitMQ is not of the form amqp://USER:PASSWORD@HOST:PORT/VHOST")

// Version logs in to the virtual host in the URL and returns the version that
// the broker gives in its first frame. The deadline of ctx, which it must have,
// bounds all of it.
func Version(ctx context.Context, address string) (string, error) {
	if _, err := amqp.ParseURI(address); err != nil {
		return "", ErrURL
	}
	dial := func(network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		deadline, _ := ctx.Deadline()
		return conn, conn.SetDeadline(deadline) // for the handshake; the library clears it afterwards
	}
	conn, err := amqp.DialConfig(address, amqp.Config{Dial: dial})
	if err != nil {
		return "", err
	}
	version, _ := conn.Properties["version"].(string)
	return version, conn.Close()
}
