package e2e

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/hotelcmd"
	"go.example/saga/internal/cli/orchestratorcmd"
	"go.example/saga/internal/cli/paymentcmd"
	"go.example/saga/internal/cli/relaycmd"
	"go.example/saga/internal/cli/reservationcmd"
	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/testenv"
)

// A password of these pieces, with any special character between them, is seen nowhere.
const canaryHead, canaryTail = "kAnArI", "vOgEl"

var (
	specialCharacters = append(doubtful, ":", ",", "'")
	// doubtful are those that a URL cannot have in a password as they are.
	doubtful = []string{"@", "/", "#", "?", "%", `"`, `\`, " "}
)

// canaryPrograms builds the daemons once a process.
var canaryPrograms = sync.OnceValues(func() (string, error) {
	root, err := services.Root()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, ".local", "canary-bin")
	return dir, stack.Build(context.Background(), root, dir)
})

// canary runs programs and remembers all that they say.
type canary struct {
	*testing.T
	programs string

	mu   sync.Mutex
	said bytes.Buffer
}

func newCanary(t *testing.T) *canary {
	programs, err := canaryPrograms()
	require.NoError(t, err)
	return &canary{T: t, programs: programs}
}

// Write implements io.Writer; many processes write at the same time.
func (c *canary) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said.Write(b)
}

// silent demands that no piece of a password was said.
func (c *canary) silent(what, text string) {
	c.Helper()
	require.NotContains(c, text, canaryHead, what)
	require.NotContains(c, text, canaryTail, what)
}

// program is a process of the program with the addresses in its environment. It tells of
// each name that it looks up.
func (c *canary) program(ctx context.Context, words []string, database, broker string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.programs, words[0]), words[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.TempDir(), "GODEBUG=netdns=go+2",
		"SERVICE=canary", "DATABASE_URL=" + database, "DATABASE_URLS=" + database, "AMQP_URL=" + broker,
		"HEALTH_ADDR=127.0.0.1:0", "LISTEN_ADDR=127.0.0.1:0", "LOG_LEVEL=debug",
	}
	return cmd
}

// arguments are what the commands need that take some.
var arguments = map[string]string{
	"relay parked show":               "1",
	"relay parked retry":              "--all",
	"relay parked discard":            "--all --note over",
	"relay replay":                    "--from 1",
	"quarantine show":                 "1",
	"quarantine retry":                "--all",
	"quarantine discard":              "--all --note over",
	"orchestrator definition migrate": "trip --to 1",
	"orchestrator definition show":    "trip",
	"orchestrator saga show":          "0198a3f0-0000-7000-8000-000000000001",
	"orchestrator saga start":         "trip --key T-1",
	"orchestrator saga signal":        "hotel 0198a3f0-0000-7000-8000-000000000001",
	"orchestrator webhook add":        "shop https://shop.example.com/",
	"orchestrator webhook disable":    "shop --reason over",
	"orchestrator webhook enable":     "shop",
	"orchestrator webhook remove":     "shop",
	"orchestrator webhook retry":      "shop",
	"orchestrator webhook rotate":     "shop",
	"orchestrator webhook test":       "shop",
}

// commands are those of all programs that end by themselves and those that do not.
func commands(t *testing.T) (short, daemons [][]string) {
	definition := filepath.Join(t.TempDir(), "trip.yaml")
	require.NoError(t, os.WriteFile(definition, []byte(hasty), 0o600))
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
		words := strings.Fields(cmd.CommandPath())
		switch last := words[len(words)-1]; {
		case !cmd.Runnable() || last == "healthcheck" || last == "lint" || last == "graph" || last == "place" || last == "get":
		case last == "schema" || last == "conformance": // the one asks nobody, the other no database
		case last == "run" || last == "serve":
			daemons = append(daemons, words)
		case last == "apply":
			short = append(short, append(words, definition))
		case words[1] == "saga" && arguments[cmd.CommandPath()] == "" && last != "list":
			if words = append(words, "0198a3f0-0000-7000-8000-000000000001"); cmd.Flags().Lookup("reason") != nil {
				words = append(words, "--reason", "over")
			}
			short = append(short, words)
		default:
			given := cmd.CommandPath()
			if words[1] == "quarantine" { // the same in four programs
				given = strings.Join(words[1:], " ")
			}
			short = append(short, append(words, strings.Fields(arguments[given])...))
		}
	}
	for _, root := range []*cobra.Command{relaycmd.New(), orchestratorcmd.New(), reservationcmd.New(), hotelcmd.New(), paymentcmd.New()} {
		visit(root)
	}
	return short, daemons
}

// Every command of every program refuses an address that can be read in two ways: with the
// exit code of wrong settings, before it has connected or looked up anything.
func TestCanaryIsRefused(t *testing.T) {
	t.Parallel()
	c := newCanary(t)
	short, daemons := commands(t)
	require.Len(t, daemons, 5)
	require.Greater(t, len(short), 20)
	var all errgroup.Group
	all.SetLimit(4)
	refused := func(words []string, database, broker string) {
		all.Go(func() error {
			cmd := c.program(t.Context(), words, database, broker)
			out, _ := cmd.CombinedOutput() // how it ended is read from ProcessState
			_, _ = c.Write(out)
			if code := cmd.ProcessState.ExitCode(); code != cli.ExitUsage || !bytes.Contains(out, []byte("the address is refused")) ||
				bytes.Contains(out, []byte("hostLookupOrder")) {
				return fmt.Errorf("%s: exit code %d\n%s", words, code, out)
			}
			return nil
		})
	}
	for i, words := range append(short, daemons...) {
		for j, special := range doubtful {
			if i < len(short) && i%len(doubtful) != j {
				continue // a command that ends by itself gets one of them
			}
			login := "me:" + canaryHead + special + canaryTail
			refused(words, "postgres://"+login+"@127.0.0.1:1/x", "amqp://guest:guest@127.0.0.1:1/")
			refused(words, "postgres://postgres@127.0.0.1:1/x", "amqp://"+login+"@127.0.0.1:1/")
		}
	}
	require.NoError(t, all.Wait())
	c.silent("output", c.text())
}

// A password that is read as it was meant is not seen either: with the servers there, with
// a broker that denies it, and with nobody there.
func TestCanaryIsNotSeen(t *testing.T) {
	t.Parallel()
	testenv.Connections(t, 60)
	c := newCanary(t)
	pool := testenv.Database(t)
	password := url.UserPassword("", canaryHead+strings.Join(specialCharacters, "x")+canaryTail).String()[1:]
	database, err := url.Parse(pool.Config().ConnString())
	require.NoError(t, err)
	here := fmt.Sprintf("postgres://%s:%s@%s%s", database.User.Username(), password, database.Host, database.Path)
	broker, err := url.Parse(testenv.Vhost(t))
	require.NoError(t, err)
	login := broker.User.Username() + ":" + password + "@"
	brokers := fmt.Sprintf("amqp://%s%s%s,%s", login, broker.Host, broker.Path, broker)

	short, daemons := commands(t)
	run := func(words []string, database, broker string) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		out, _ := c.program(ctx, words, database, broker).CombinedOutput() // it may fail, and says why
		_, _ = c.Write(out)
	}
	run([]string{"orchestrator", "migrate"}, here, brokers)
	for _, words := range short {
		run(words, here, brokers)
	}
	run([]string{"relay", "status"}, here, "amqp://"+login+broker.Host+broker.Path)
	awaited := map[string]string{
		"reservation": "no reservation can be placed yet",
		"hotel":       "no commands are taken", "payment": "no commands are taken", // no relay serves them
	}
	for _, words := range daemons {
		c.daemon(pool, words, here, brokers, cmp.Or(awaited[words[0]], "ok\n"))
	}
	nowhere, nobody := "postgres://me:"+password+"@127.0.0.1:1/x", "amqp://"+login+"127.0.0.1:1/"
	c.daemon(pool, []string{"relay", "run"}, nowhere, nobody, "127.0.0.1:1")
	c.daemon(pool, []string{"relay", "run"}, here, nobody, "127.0.0.1:1")
	c.daemon(pool, []string{"hotel", "serve"}, nowhere, nobody, "cannot be migrated yet")
	for _, words := range short[:3] {
		run(words, nowhere, nobody)
	}
	require.Contains(t, c.text(), "ACCESS_REFUSED", "the broker denied the password")
	c.silent("output", c.text())
}

// daemon runs one until its health or its log says what is awaited, with what it shows
// then, and what the database's server shows of it.
func (c *canary) daemon(pool *pgxpool.Pool, words []string, database, broker, awaited string) {
	c.Helper()
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	cmd := c.program(ctx, words, database, broker)
	stderr, err := cmd.StderrPipe()
	require.NoError(c, err)
	require.NoError(c, cmd.Start())
	var mine canary
	addr, read := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			_, _ = fmt.Fprintln(io.MultiWriter(c, &mine), lines.Text())
			var line struct{ Msg, Addr string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "health checks are served" {
				addr <- line.Addr
			}
		}
	}()
	defer func() {
		cancel()
		<-read
		_ = cmd.Wait() // it was told to end
	}()
	host := <-addr
	require.Eventually(c, func() bool {
		mine.get(c, "http://"+host+"/readyz")
		return strings.Contains(mine.text(), awaited)
	}, 30*time.Second, 20*time.Millisecond, "%s says %q", words, awaited)
	mine.get(c, "http://"+host+"/metrics")
	_, _ = c.Write([]byte(mine.text()))
	c.tables(pool)
}

// get keeps what an address answers.
func (c *canary) get(t require.TestingT, address string) {
	res, err := http.Get(address)
	require.NoError(t, err)
	defer res.Body.Close()
	_, err = io.Copy(c, res.Body)
	require.NoError(t, err)
}

func (c *canary) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said.String()
}

// tables reads all rows of all tables, and what the server shows of the sessions.
func (c *canary) tables(pool *pgxpool.Pool) {
	c.Helper()
	rows, err := pool.Query(c.Context(), `SELECT format('SELECT t::text FROM %s t', oid::regclass) FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')`)
	require.NoError(c, err)
	queries, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(c, err)
	require.NotEmpty(c, queries)
	for _, query := range append(queries, `SELECT a::text FROM pg_stat_activity a WHERE datname = current_database() AND pid <> pg_backend_pid()`) {
		rows, err := pool.Query(c.Context(), query)
		require.NoError(c, err)
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(c, err, query)
		c.silent(query, strings.Join(texts, "\n"))
	}
}
