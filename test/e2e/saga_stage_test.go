package e2e

import (
	"context"
	"strings"
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
	sagas  *pgxpool.Pool // of who starts the saga, and of the orchestrator
	deeds  *pgxpool.Pool // of the participants: their effects, barriers and outbox
	url    string        // of the broker
	post   *post
	actors map[string]*actor // by step
	id     saga.ID
}

// set makes a stage for sagas of the definition. Everybody says yes until told
// otherwise.
func set(t *testing.T, definition string) *stage {
	t.Helper()
	def, err := sagayaml.Parse([]byte(definition))
	require.NoError(t, err)
	testenv.Connections(t, 28) // the two pools', and the daemons' in both databases
	s := &stage{
		T: t, def: def, store: sagapg.New(""), url: testenv.Vhost(t), actors: map[string]*actor{},
		sagas: testenv.Database(t, sagasql.Outbox, sagasql.Saga, sagasql.Inbox),
		deeds: testenv.Database(t, sagasql.Outbox, sagasql.Inbox, sagasql.Participant),
	}
	_, err = s.deeds.Exec(t.Context(), `CREATE TABLE deed (
		seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, saga_id uuid, step text, operation text)`)
	require.NoError(t, err)
	_, err = s.store.ApplyDefinition(t.Context(), s.sagas, def)
	require.NoError(t, err)
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

// daemons are run in process, so that the race detector sees them.
func (s *stage) daemons() {
	r := relay.DefaultSettings()
	r.DatabaseURLs = config.Secret(s.sagas.Config().ConnString() + " " + s.deeds.Config().ConnString())
	r.AMQPURL, r.LogLevel = config.Secret(s.url), "error"
	s.run("relay", func(ctx context.Context) error { return relay.Run(ctx, r) })
	o := orchestrator.DefaultSettings()
	o.DatabaseURL, o.AMQPURL = config.Secret(s.sagas.Config().ConnString()), config.Secret(s.url)
	o.ReplyQueue, o.LogLevel = sorted, "error"
	s.run("orchestrator", func(ctx context.Context) error { return orchestrator.Run(ctx, o) })
}

// run works until the test ends.
func (s *stage) run(name string, work func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	s.Cleanup(func() {
		stop()
		assert.NoError(s, <-done, name)
	})
}

// begin starts the saga the way a service does.
func (s *stage) begin(payload jsonmap.JSONMap) {
	s.Helper()
	tx, err := s.sagas.Begin(s.Context())
	require.NoError(s, err)
	defer func() { _ = tx.Rollback(context.Background()) }() // does nothing after the commit
	id, started, err := s.store.Start(s.Context(), tx, s.def, sagapg.StartRequest{BusinessKey: "K-1", Payload: payload})
	require.NoError(s, err)
	require.True(s, started)
	require.NoError(s, tx.Commit(s.Context()))
	s.id = id
}
