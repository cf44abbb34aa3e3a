package services

import (
	"context"
	"fmt"
	"net/url"
)

// running uses what listens on the usual ports of this machine.
type running struct{}

func (running) name() string { return "running" }

func (w running) postgres(ctx context.Context, _ bool) (Postgres, error) {
	server, err := openPostgres(ctx, w.name(), "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable")
	if err != nil {
		server, err = openPostgres(ctx, w.name(), "postgres://postgres:postgres@127.0.0.1:5432/postgres?sslmode=disable")
	}
	if err != nil {
		return Postgres{}, fmt.Errorf("127.0.0.1:5432 as user postgres: %w", err)
	}
	return server, nil
}

func (w running) broker(ctx context.Context, _ bool) (Broker, error) {
	u := &url.URL{Scheme: "amqp", User: url.UserPassword("guest", "guest"), Host: "127.0.0.1:5672", Path: "/"}
	server, err := openBroker(ctx, w.name(), u.String(), systemCtl(), managementOf(u), composeCtl())
	if err != nil {
		return Broker{}, fmt.Errorf("127.0.0.1:5672 as user guest: %w", err)
	}
	return server, nil
}
