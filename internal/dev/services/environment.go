package services

import (
	"context"
	"errors"
	"net/url"
	"os"
)

// environment uses the servers that the user names.
type environment struct{}

func (environment) name() string { return "environment" }

func (e environment) postgres(ctx context.Context, _ bool) (Postgres, error) {
	address := os.Getenv("DATABASE_URL")
	if address == "" {
		return Postgres{}, errors.New("DATABASE_URL is not set")
	}
	server, err := openPostgres(ctx, e.name(), address)
	if err != nil {
		return Postgres{}, final{err}
	}
	return server, nil
}

func (e environment) broker(ctx context.Context, _ bool) (Broker, error) {
	address := os.Getenv("AMQP_URL")
	if address == "" {
		return Broker{}, errors.New("AMQP_URL is not set")
	}
	u, err := url.Parse(address)
	if err != nil {
		return Broker{}, final{errors.New("AMQP_URL is not of the form amqp://USER:PASSWORD@HOST:PORT/VHOST")}
	}
	// Wherever the address leads: each means has to prove itself.
	admins := append([]vhostAdmin{systemCtl(), managementOf(u)}, privateCtl()...)
	server, err := openBroker(ctx, e.name(), address, admins...)
	if err != nil {
		return Broker{}, final{err}
	}
	return server, nil
}
