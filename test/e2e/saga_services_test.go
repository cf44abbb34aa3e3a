package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/orchestrator"
	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/config"
	"go.example/saga/internal/dev/stack/stacktest"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	"go.example/saga/pkg/saga/sagayaml"
	sagasql "go.example/saga/sql"
)

// order is the definition of both services: they have the saga's name and its steps' names
// in common, and the participant of the second step.
const order = `
name: order
version: 1
steps:
  - {name: pay, destination: %s}
  - {name: stamp}
`

// company are services that share a virtual host and a relay.
type company struct {
	*testing.T
	url string // of the broker
	dbs map[string]*pgxpool.Pool
}

// found gives a service its database. It carries out the step.
func (c *company) found(name, step string) {
	c.Helper()
	db := testenv.DatabaseOf(c, name, sagasql.Outbox, sagasql.Saga, sagasql.Inbox, sagasql.Participant)
	c.dbs[name] = db
	_, err := db.Exec(c.Context(), `CREATE TABLE effect (saga_id uuid, step text)`)
	require.NoError(c, err)
	broker := rabbit.Config{Name: name, URL: func(context.Context) (string, error) { return c.url, nil }}
	p, err := participant.New(participant.Config{
		Service: name, DB: db, Steps: map[string]participant.Step{step: {
			Request: func(ctx context.Context, tx pgx.Tx, cmd participant.Command) (jsonmap.JSONMap, error) {
				_, err := tx.Exec(ctx, `INSERT INTO effect VALUES ($1, $2)`, uuid.UUID(cmd.SagaID), cmd.Step)
				return nil, err
			},
			Cancel: func(context.Context, pgx.Tx, participant.Command) error { return nil },
		}},
		Open: func(ctx context.Context, owner sagasql.Service) (inbox.Source, error) {
			consumer, err := rabbit.OpenConsumer(ctx, broker, rabbit.CommandTopology(owner), protocol.CommandQueue(owner.Name), 200)
			if err != nil {
				return nil, err // and no nil pointer inside of the interface
			}
			return consumer, nil
		},
	})
	require.NoError(c, err)
	c.run(name, p.Run)
}

func (c *company) run(name string, work func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	c.Cleanup(func() {
		cancel()
		assert.NoError(c, <-done, name)
	})
}

// drive runs the service's orchestrator, with no setting but its name and addresses, and
// starts n sagas.
func (c *company) drive(name string, n int) {
	c.Helper()
	settings := orchestrator.DefaultSettings()
	settings.Service, settings.LogLevel = name, "error"
	settings.DatabaseURL, settings.AMQPURL = config.Secret(c.dbs[name].Config().ConnString()), config.Secret(c.url)
	c.run("orchestrator of "+name, func(ctx context.Context) error { return orchestrator.Run(ctx, settings) })
	def, err := sagayaml.Parse([]byte(fmt.Sprintf(order, name)))
	require.NoError(c, err)
	store := sagapg.New("", name)
	_, err = store.ApplyDefinition(c.Context(), c.dbs[name], def)
	require.NoError(c, err)
	batch := &pgx.Batch{}
	_, err = store.Queue(c.Context(), batch, def, make([]sagapg.StartRequest, n)...)
	require.NoError(c, err)
	require.NoError(c, c.dbs[name].SendBatch(c.Context(), batch).Close())
}

// startFrom has a service without sagas start n of another one's, each asked for twice.
func (c *company) startFrom(name, of string, n int) {
	c.Helper()
	_, err := c.dbs[name].Exec(c.Context(), `
		SELECT saga_start('order', 'S-' || n, jsonb_build_object('n', n), service => $1)
		FROM generate_series(1, $2::integer) AS n, generate_series(1, 2)`, of, n)
	require.NoError(c, err)
}

// Two services with nothing set but their names share a virtual host, a relay and a
// participant. Each carries out its own commands, and hears the answers to its own sagas, of which
// the participant has started half.
// SAGAS says how many of each.
func TestTwoServicesOnOneVirtualHost(t *testing.T) {
	t.Parallel()
	n, err := strconv.Atoi(cmp.Or(os.Getenv("SAGAS"), "60"))
	require.NoError(t, err)
	testenv.Connections(t, 50)
	c := &company{T: t, url: testenv.Vhost(t), dbs: map[string]*pgxpool.Pool{}}
	c.found("alpha", "pay")
	c.found("beta", "pay")
	c.found("stamp", "stamp")
	var urls []string
	for _, db := range c.dbs {
		urls = append(urls, db.Config().ConnString())
	}
	settings := relay.DefaultSettings()
	settings.DatabaseURLs, settings.AMQPURL, settings.LogLevel = config.Secret(strings.Join(urls, " ")), config.Secret(c.url), "error"
	c.run("relay", func(ctx context.Context) error { return relay.Run(ctx, settings) })
	for _, name := range []string{"alpha", "beta"} {
		c.drive(name, n/2)
		c.startFrom("stamp", name, n-n/2)
	}
	for _, name := range []string{"alpha", "beta"} {
		require.Eventually(t, func() bool {
			return stacktest.Count(t, c.dbs[name], `SELECT count(*) FROM saga WHERE status = $1`, string(saga.StatusCompleted)) == n
		}, 2*time.Minute, 50*time.Millisecond, "the sagas of %s", name)
		require.Zero(t, stacktest.Count(t, c.dbs[name], `SELECT count(*) FROM effect AS e WHERE NOT EXISTS (SELECT FROM saga AS s WHERE s.id = e.saga_id)`),
			"commands of another service's sagas in %s", name)
		require.Equal(t, n, stacktest.Count(t, c.dbs[name], `SELECT count(*) FROM effect WHERE step = 'pay'`))
	}
	require.Equal(t, 2*n, stacktest.Count(t, c.dbs["stamp"], `SELECT count(*) FROM effect WHERE step = 'stamp'`))
	for name, db := range c.dbs {
		require.Zero(t, stacktest.Count(t, db, `SELECT count(*) FROM inbox_quarantine`), name)
		require.Zero(t, stacktest.Count(t, db, `SELECT count(*) FROM outbox_parked`), name)
	}
}
