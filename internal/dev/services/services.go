package services

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"
)

// Oldest versions that the project supports.
const (
	minPostgres = 15
	minRabbit   = "3.10"
)

// Set is the pair of servers in use.
type Set struct {
	Postgres Postgres
	Broker   Broker
}

// Report takes one line of progress for a person.
type Report func(format string, args ...any)

// way is one means to get the servers. With start it may start them; without it
// only looks.
type way interface {
	name() string
	postgres(ctx context.Context, start bool) (Postgres, error)
	broker(ctx context.Context, start bool) (Broker, error)
}

// attempt is one step of the search.
type attempt struct {
	way
	start bool
}

// final marks an error behind which no other way is tried.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// Locate finds running servers and starts nothing.
func Locate(ctx context.Context) (Set, error) {
	dir, err := Root()
	if err != nil {
		return Set{}, err
	}
	quiet := func(string, ...any) {}
	private, compose := &private{dir: dir, report: quiet}, &compose{dir: dir, report: quiet}
	return search(ctx, []attempt{{environment{}, false}, {running{}, false}, {private, false}, {compose, false}})
}

// Up finds running servers or starts them.
func Up(ctx context.Context, report Report) (Set, error) {
	dir, err := Root()
	if err != nil {
		return Set{}, err
	}
	unlock, err := lock(dir, report)
	if err != nil {
		return Set{}, err
	}
	defer unlock()
	private, compose := &private{dir: dir, report: report}, &compose{dir: dir, report: report}
	return search(ctx, []attempt{{environment{}, false}, {running{}, false}, {private, false}, {compose, true}, {private, true}})
}

func search(ctx context.Context, attempts []attempt) (Set, error) {
	attempts, err := permitted(attempts, os.Getenv("SAGA_SERVICES"))
	if err != nil {
		return Set{}, err
	}
	postgres, err := first(attempts, "PostgreSQL", func(a attempt) (Postgres, error) { return a.postgres(ctx, a.start) })
	if err != nil {
		return Set{}, err
	}
	broker, err := first(attempts, "RabbitMQ", func(a attempt) (Broker, error) { return a.broker(ctx, a.start) })
	if err != nil {
		return Set{}, err
	}
	return Set{Postgres: postgres, Broker: broker}, nil
}

// permitted keeps the attempts of the one way that SAGA_SERVICES names.
func permitted(attempts []attempt, only string) ([]attempt, error) {
	if only == "" || only == "auto" {
		return attempts, nil
	}
	var kept []attempt
	for _, a := range attempts {
		if a.name() == only {
			kept = append(kept, a)
		}
	}
	if kept == nil {
		return nil, fmt.Errorf("SAGA_SERVICES is %q: use auto, environment, running, compose or private", only)
	}
	return kept, nil
}

// first returns what the first working attempt brings, or all their reasons.
func first[S any](attempts []attempt, server string, try func(attempt) (S, error)) (S, error) {
	missing := &Missing{Server: server}
	for _, a := range attempts {
		found, err := try(a)
		if err == nil {
			return found, nil
		}
		var end final
		if errors.As(err, &end) {
			return found, fmt.Errorf("%s from the %s: %w", server, a.name(), end.error)
		}
		missing.note(a.name(), err)
	}
	var none S
	return none, missing
}

// Missing says that no way brought a server, why, and what does.
type Missing struct {
	Server string
	tried  []string
}

func (m *Missing) note(way string, err error) {
	line := fmt.Sprintf("%-12s %v", way, err)
	if len(m.tried) == 0 || m.tried[len(m.tried)-1] != line {
		m.tried = append(m.tried, line)
	}
}

func (m *Missing) Error() string {
	return fmt.Sprintf(`there is no %s to work with (PostgreSQL %d and RabbitMQ %s or later). Tried:
  %s
One of these brings it; then run the same command again:
  sudo make services                                    (Debian, Ubuntu: from the distribution's packages)
  start the docker engine                               (with docker compose; make does the rest)
  export DATABASE_URL=postgres://USER:PASSWORD@HOST:5432/postgres AMQP_URL=amqp://USER:PASSWORD@HOST:5672/
`, m.Server, minPostgres, minRabbit, strings.Join(m.tried, "\n  "))
}

// probeTime bounds one look at a server that should answer at once.
const probeTime = 5 * time.Second

// Redact takes the password out of an address, for people to read.
func Redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(not a URL)"
	}
	return u.Redacted()
}
