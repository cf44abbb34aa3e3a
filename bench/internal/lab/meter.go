package lab

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"go.example/saga/bench/internal/proc"
	"go.example/saga/internal/dev/services"
)

// Meter reads the processor time of the servers, if they run on this machine and
// their processes are in sight.
type Meter struct {
	// Missing is why a server's time cannot be read, nil when both can.
	Missing          error
	postmaster, beam int
}

func newMeter(ctx context.Context, servers services.Set) Meter {
	postmaster, err := findPostmaster(ctx, servers.Postgres.URL)
	if err != nil {
		return Meter{Missing: err}
	}
	beam, err := findBroker(servers.Broker.URL)
	return Meter{Missing: err, postmaster: postmaster, beam: beam}
}

// findPostmaster is the parent of a session's process. A server elsewhere would
// name a process that is here another one, or none.
func findPostmaster(ctx context.Context, address string) (int, error) {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return 0, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	session, err := proc.Read(int(conn.PgConn().PID()))
	if err == nil && strings.HasPrefix(session.Command, "postgres") {
		return session.Parent, nil
	}
	return 0, errors.Join(errors.New("PostgreSQL's processes are not in sight"), err)
}

func findBroker(address string) (int, error) {
	u, err := url.Parse(address)
	if err != nil {
		return 0, errors.New("the broker's address is not a URL")
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && !ip.IsLoopback() {
		return 0, errors.New("the broker is not on this machine")
	}
	const usual = 5672
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		port = usual
	}
	return proc.Listener(port)
}

// Reading is processor time in seconds, NaN where it could not be read.
type Reading struct{ Own, Postgres, Broker float64 }

// Read is what the processes together and both servers have used until now.
func (m Meter) Read(pids ...int) Reading {
	r := Reading{Postgres: seconds(proc.FamilyCPU(m.postmaster)), Broker: seconds(proc.CPU(m.beam))}
	for _, pid := range pids {
		r.Own += seconds(proc.CPU(pid))
	}
	return r
}

// All is what processes and servers used together.
func (r Reading) All() float64 { return r.Own + r.Postgres + r.Broker }

func seconds(used time.Duration, err error) float64 {
	if err != nil {
		return math.NaN()
	}
	return used.Seconds()
}

// Since is what was used between two readings, for each so many of rows.
func (r Reading) Since(earlier Reading, each, rows int) Reading {
	per := float64(each) / float64(rows)
	return Reading{
		Own:      (r.Own - earlier.Own) * per,
		Postgres: (r.Postgres - earlier.Postgres) * per,
		Broker:   (r.Broker - earlier.Broker) * per,
	}
}
