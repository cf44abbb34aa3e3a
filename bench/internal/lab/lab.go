// Package lab is where the measurements take place: the servers, databases and
// queues of this run alone, processes to watch, and the meters for what they use.
package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"go.example/saga/internal/dev/services"
)

// closeTime bounds the removal of what the run made.
const closeTime = 2 * time.Minute

// Lab holds what a run uses. It is safe for concurrent use.
type Lab struct {
	// Dir takes programs and logs, and is removed at the end.
	Dir string
	// AMQP is the URL of the run's own virtual host.
	AMQP string
	// Meter reads what the servers use.
	Meter Meter

	servers services.Set
	vhost   string

	mu        sync.Mutex
	databases []string
}

// Open finds the servers that run and makes a virtual host. Close it in any case.
func Open(ctx context.Context) (*Lab, error) {
	servers, err := services.Locate(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for this run: %w", err)
	}
	l := &Lab{Dir: dir, servers: servers, vhost: newName(), Meter: newMeter(ctx, servers)}
	l.AMQP = servers.Broker.Vhost(l.vhost)
	if _, err := servers.Broker.ChangeVhosts(ctx, []string{l.vhost}, nil); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// newName is a name that nobody else uses. `make drop` knows its kind, for the
// case that this process is killed.
func newName() string {
	return services.TestPrefix + strconv.FormatInt(time.Now().Unix(), 36) + "_" + strings.ToLower(rand.Text()[:12])
}

// Database creates an empty database and returns its URL.
func (l *Lab) Database(ctx context.Context) (string, error) {
	name := newName()
	l.mu.Lock()
	l.databases = append(l.databases, name)
	l.mu.Unlock()
	if err := l.servers.Postgres.CreateDatabase(ctx, name, ""); err != nil {
		return "", err
	}
	return l.servers.Postgres.Database(name), nil
}

// DropDatabases drops all databases made so far: the next measurement shall not
// share the disk with them.
func (l *Lab) DropDatabases(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.servers.Postgres.DropDatabases(ctx, l.databases...); err != nil {
		return err
	}
	l.databases = nil
	return nil
}

// FreshVhost empties the virtual host: services with databases of their own have queues of
// their own, which bear the databases' marks. Nobody may be connected.
func (l *Lab) FreshVhost(ctx context.Context) error {
	if _, err := l.servers.Broker.ChangeVhosts(ctx, nil, []string{l.vhost}); err != nil {
		return err
	}
	_, err := l.servers.Broker.ChangeVhosts(ctx, []string{l.vhost}, nil)
	return err
}

// Versions are the servers' versions, for the report.
func (l *Lab) Versions(ctx context.Context) (postgres, broker string, err error) {
	conn, err := pgx.Connect(ctx, l.servers.Postgres.URL)
	if err != nil {
		return "", "", fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return conn.PgConn().ParameterStatus("server_version"), l.servers.Broker.Version, nil
}

// Close removes all that the run made, also when the run was interrupted.
func (l *Lab) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_, err := l.servers.Broker.ChangeVhosts(ctx, nil, []string{l.vhost})
	return errors.Join(l.DropDatabases(ctx), err, os.RemoveAll(l.Dir))
}
