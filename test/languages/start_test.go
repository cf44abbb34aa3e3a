package languages

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/orchestrator"
	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/cli/orchestratorcmd"
	"go.example/saga/internal/config"
	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/testenv"
)

// Sagas are started from Python and Node.js, by SQL and by a message, and each once, however
// often it is started. What cannot be started is told.
func TestSagasAreStartedFromOtherLanguages(t *testing.T) {
	t.Parallel()
	testenv.Connections(t, 20)
	broker, home := testenv.Vhost(t), testenv.Database(t)
	database := home.Config().ConnString()
	settings := "database_url: " + database + "\nservice: orders"
	run(t, orchestratorcmd.New(), settings, "migrate")
	run(t, orchestratorcmd.New(), settings, "definition", "apply", filepath.Join(folder(t, ""), "trip.yaml"))
	// What the starters' service has of this project is the outbox and these functions: its sagas
	// may be in another database, whose orchestrator takes the message.
	starter := testenv.Database(t)
	byCommand(t, starter, "shop")
	starters := map[string]struct {
		tool func() (string, error)
		file string
	}{"python": {services.Python, "start.py"}, "node": {services.Node, "start.js"}}
	start := func(language, way, key, payload string) (string, error) {
		t.Helper()
		tool, err := starters[language].tool()
		require.NoError(t, err)
		cmd := exec.CommandContext(t.Context(), tool, filepath.Join(folder(t, language), starters[language].file), way, key, payload) // #nosec G204 -- the example
		cmd.Env = append(os.Environ(), "DATABASE_URL="+starter.Config().ConnString(), "AMQP_URL="+broker)
		said, err := cmd.CombinedOutput()
		return string(said), err
	}
	for language := range starters {
		said, err := start(language, "message", "early", "{}")
		require.Error(t, err, "%s: nobody has declared the orchestrator's queue: %s", language, said)
		said, err = start(language, "sql", "no object", "[]")
		require.Error(t, err, "%s: %s", language, said)
		require.Contains(t, said, "is no JSON object", language)
	}
	count(t, starter, 0, `SELECT count(*) FROM outbox`)

	inBackground(t, "orchestrator", func(ctx context.Context) error {
		o := orchestrator.DefaultSettings()
		o.DatabaseURL, o.AMQPURL, o.LogLevel = config.Secret(database), config.Secret(broker), "error"
		return orchestrator.Run(ctx, o)
	})
	inBackground(t, "relay", func(ctx context.Context) error {
		r := relay.DefaultSettings()
		r.DatabaseURLs, r.AMQPURL, r.LogLevel = config.Secret(starter.Config().ConnString()), config.Secret(broker), "error"
		return relay.Run(ctx, r)
	})
	queue := openCopier(t, broker)
	queue.awaitConsumers(t, "saga.replies.orders", 1)
	for language := range starters {
		for _, way := range []string{"sql", "message"} {
			for range 2 {
				said, err := start(language, way, language+" "+way, `{"cents": 5000, "nights": 2, "seats": 1}`)
				require.NoError(t, err, said)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	at := &foreign{language: language{folder: "orders"}, t: t, db: home}
	require.NoError(t, at.await(ctx, `SELECT count(*) FROM saga WHERE business_key IN ('python sql', 'python message', 'node sql', 'node message')
		AND payload = '{"cents": 5000, "nights": 2, "seats": 1}'`, 4))
	// This one comes behind the second start of each in the outbox and in the queue.
	said, err := start("python", "sql", "last", "{}")
	require.NoError(t, err, said)
	require.NoError(t, at.await(ctx, `SELECT count(*) FROM saga WHERE business_key = 'last'`, 1))
	count(t, home, 5, `SELECT count(*) FROM saga`)
	count(t, home, 0, `SELECT count(*) FROM inbox_quarantine`)
}
