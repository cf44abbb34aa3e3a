package e2e

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/orchestrator"
	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/config"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	"go.example/saga/pkg/saga/sagayaml"
	sagasql "go.example/saga/sql"
)

// stage is where one saga is played: the relay and the orchestrator with all that
// their programs do, a participant for each step, and the post between them, which
// loses, holds back and forges letters as the scenario has it.
type stage struct {
	*testing.T
	def    saga.Definition
	store  *sagapg.Store
	roles  *testenv.Roles
	sagas  *pgxpool.Pool // of the database of who starts the saga, and of the orchestrator
	deeds  *pgxpool.Pool // of the participants' database: their effects, barriers and outbox
	work   *pgxpool.Pool // the same, as the participants' role
	url    string        // of the broker
	post   *post
	actors map[string]*actor // by step
	id     saga.ID
	// webhooks are those that begin names.
	webhooks []string
	// relay starts the relay, relayStops stops the one that runs.
	relay      func() (stop func())
	relayStops func()
}

// set makes a stage for sagas of the definition. Everybody says yes until told
// otherwise.
func set(t *testing.T, definition string) *stage {
	t.Helper()
	def, err := sagayaml.Parse([]byte(definition))
	require.NoError(t, err)
	testenv.Connections(t, 40) // the pools', and the daemons' in both databases
	s := &stage{T: t, def: def, store: sagapg.New("", testenv.Service), url: testenv.Vhost(t), actors: map[string]*actor{}}
	s.databases()
	s.post = openPost(t, s.url, def)
	for _, step := range def.Steps {
		if step.Kind == saga.Command {
			s.actors[step.Name] = newActor(step.Name)
			s.enter(step.Name)
		}
	}
	s.daemons()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the timeline:\n%s", strings.Join(s.timeline(), "\n"))
		}
	})
	return s
}

// databases are used under the rights of docs/roles.md and no others, but by the
// scenario's own looks. The relay does not look after the partitions: for that it would
// be a member of the owner's role, and have all rights there are.
func (s *stage) databases() {
	s.roles = testenv.DocumentedRoles(s)
	s.sagas, s.deeds = testenv.Database(s), testenv.Database(s)
	s.roles.Migrate(s, s.sagas, sagasql.Outbox, sagasql.Saga, sagasql.Inbox)
	s.roles.Migrate(s, s.deeds, sagasql.Outbox, sagasql.Inbox, sagasql.Participant)
	s.roles.Run(s, s.sagas, "The relay")
	s.roles.Run(s, s.deeds, "The relay")
	s.roles.Run(s, s.sagas, "The orchestrator", "orchestrator saga", "definition apply")
	s.roles.Run(s, s.sagas, "A service that starts sagas")
	s.roles.Run(s, s.deeds, "A participant")
	_, err := s.deeds.Exec(s.Context(), s.roles.Named(`CREATE TABLE deed (
		seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, saga_id uuid, step text, operation text);
		GRANT INSERT ON deed TO saga_participant`))
	require.NoError(s, err)
	s.work = s.roles.Pool(s, s.deeds, "saga_participant")
	_, err = s.store.ApplyDefinition(s.Context(), s.roles.Pool(s, s.sagas, "saga_orchestrator"), s.def)
	require.NoError(s, err)
}

// daemons are run in process, so that the race detector sees them.
func (s *stage) daemons() {
	r := relay.DefaultSettings()
	r.DatabaseURLs = config.Secret(s.roles.URL(s, s.sagas, "saga_relay") + " " + s.roles.URL(s, s.deeds, "saga_relay"))
	r.AMQPURL, r.LogLevel, r.HTTPPrivate = config.Secret(s.url), "error", true
	s.relay = func() (stop func()) {
		return s.run("relay", func(ctx context.Context) error { return relay.Run(ctx, r) })
	}
	s.relayStops = s.relay()
	o := orchestrator.DefaultSettings()
	o.DatabaseURL, o.AMQPURL = config.Secret(s.roles.URL(s, s.sagas, "saga_orchestrator")), config.Secret(s.url)
	o.Service, o.LogLevel = testenv.Service, "error"
	s.run("orchestrator", func(ctx context.Context) error { return orchestrator.Run(ctx, o) })
}

// run works until the test ends, or stop is called.
func (s *stage) run(name string, work func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(s, <-done, name)
	})
	s.Cleanup(stop)
	return stop
}

// begin starts the saga the way a service does.
func (s *stage) begin(payload jsonmap.JSONMap) {
	s.Helper()
	tx, err := s.roles.Pool(s, s.sagas, "saga_starter").Begin(s.Context())
	require.NoError(s, err)
	defer func() { _ = tx.Rollback(context.Background()) }() // does nothing after the commit
	id, started, err := s.store.Start(s.Context(), tx, s.def, sagapg.StartRequest{BusinessKey: "K-1", Payload: payload, Webhooks: s.webhooks})
	require.NoError(s, err)
	require.True(s, started)
	require.NoError(s, tx.Commit(s.Context()))
	s.id = id
}
