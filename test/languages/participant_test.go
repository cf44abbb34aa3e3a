package languages

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/relaycmd"
	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/testenv"
)

// patience is for what must come, on a busy machine.
const patience = 5 * time.Minute

// language is one of the examples: the service of a step, its program and its own table.
type language struct {
	folder, service string
	tool            func() (string, error)
	program         string
	schema          string // file that makes its table
	table, column   string
	refused         int // an amount that it refuses
	// prepare makes the tables of an empty database, as the page says.
	prepare func(*testing.T, *pgxpool.Pool, string)
}

var languages = []language{
	{"python", "payment", services.Python, "payment.py", "schema.sql", "charge", "cents", 10001, byCommand},
	{"node", "hotel", services.Node, "hotel.js", "schema.sql", "booking", "nights", 15, byCommand},
	{"sql", "flight", services.Python, "mover.py", "flight.sql", "seat", "seats", 10, byPsql},
}

func folder(t *testing.T, name string) string {
	t.Helper()
	root, err := services.Root()
	require.NoError(t, err)
	return filepath.Join(root, "examples", "participants", name)
}

func byCommand(t *testing.T, db *pgxpool.Pool, service string) {
	t.Helper()
	require.Contains(t, run(t, relaycmd.New(), "database_urls: "+db.Config().ConnString(), "migrate", "--participant", service),
		"the tables of the participant "+service+" are up to date")
}

// byPsql is the page's line for psql; the command takes what it has made.
func byPsql(t *testing.T, db *pgxpool.Pool, service string) {
	t.Helper()
	root, err := services.Root()
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "docs", "protocol.md"))
	require.NoError(t, err)
	lines := regexp.MustCompile(`cat sql/\{([a-z,]+)\}/\*\.sql`).FindSubmatch(page)
	require.NotNil(t, lines, "docs/protocol.md has no line for psql")
	for _, line := range strings.Split(string(lines[1]), ",") {
		files, err := filepath.Glob(filepath.Join(root, "sql", line, "*.sql"))
		require.NoError(t, err)
		require.NotEmpty(t, files, line)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			_, err = db.Exec(t.Context(), string(text))
			require.NoError(t, err, file)
		}
	}
	named := regexp.MustCompile(`INSERT INTO public\.saga_service \(name\) VALUES \('[a-z]+'\)`).FindString(string(page))
	require.NotEmpty(t, named, "docs/protocol.md does not say how a service is named")
	_, err = db.Exec(t.Context(), regexp.MustCompile(`'.*'`).ReplaceAllString(named, "'"+service+"'"))
	require.NoError(t, err)
	byCommand(t, db, service)
}

// run is a command of this project, with a file of settings.
func run(t *testing.T, root *cobra.Command, settings string, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "settings.yaml")
	require.NoError(t, os.WriteFile(file, []byte(settings), 0o600))
	var out bytes.Buffer
	root.SetArgs(append(args, "--config", file))
	root.SetOut(&out)
	root.SetErr(&out)
	require.Equal(t, cli.ExitOK, cli.Run(t.Context(), root), out.String())
	return out.String()
}

// foreign is a participant whose program runs twice.
type foreign struct {
	language
	t        *testing.T
	db       *pgxpool.Pool // with all rights
	database *testenv.Proxy
	broker   *testenv.Proxy
	program  []string
	running  [2]*exec.Cmd
	said     said
}

// said is what the programs have said.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(text)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// enter prepares the participant's database, from an empty one, and starts nothing yet.
func enter(t *testing.T, l language, roles *testenv.Roles, broker string) *foreign {
	t.Helper()
	tool, err := l.tool()
	if err != nil {
		t.Fatal(err)
	}
	f := &foreign{language: l, t: t, db: testenv.Database(t), program: []string{tool, filepath.Join(folder(t, l.folder), l.program)}}
	l.prepare(t, f.db, l.service)
	schema, err := os.ReadFile(filepath.Join(folder(t, l.folder), l.schema))
	require.NoError(t, err)
	_, err = f.db.Exec(t.Context(), string(schema))
	require.NoError(t, err)
	roles.Run(t, f.db, "A participant")
	roles.Run(t, f.db, "The relay")
	_, err = f.db.Exec(t.Context(), roles.Named("GRANT SELECT, INSERT ON "+l.table+" TO saga_participant"))
	require.NoError(t, err)
	f.database, f.broker = testenv.StartProxy(t, roles.URL(t, f.db, "saga_participant")), testenv.StartProxy(t, broker)
	t.Cleanup(func() {
		for i := range f.running {
			f.kill(i)
		}
		if t.Failed() {
			text := f.said.String()
			t.Logf("%s said:\n%s", l.folder, text[max(0, len(text)-8000):])
		}
	})
	return f
}

func (f *foreign) start(i int) {
	cmd := exec.Command(f.program[0], f.program[1:]...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+f.database.URL, "AMQP_URL="+f.broker.URL)
	cmd.Stdout, cmd.Stderr = &f.said, &f.said
	cmd.SysProcAttr = attributes()
	if err := cmd.Start(); err != nil {
		f.t.Errorf("start %s: %v", f.folder, err)
		return
	}
	f.running[i] = cmd
}

// kill is kill -9.
func (f *foreign) kill(i int) {
	if cmd := f.running[i]; cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		f.running[i] = nil
	}
}

// disturb kills one instance after the other, and cuts their connections, each time when some
// more steps are decided; it ends when so many are.
func (f *foreign) disturb(ctx context.Context, steps int) error {
	const times = 7
	for n := range times {
		if err := f.await(ctx, "SELECT count(*) FROM saga_barrier", (n+1)*steps/(times+1)); err != nil {
			return err
		}
		switch n {
		case 2:
			f.broker.Cut()
		case 4:
			f.database.Cut()
		default:
			f.kill(n % 2)
			f.start(n % 2)
		}
	}
	return nil
}

// await waits until a query counts so many.
func (f *foreign) await(ctx context.Context, query string, least int) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		var count int
		if err := f.db.QueryRow(ctx, query).Scan(&count); err != nil {
			return fmt.Errorf("%s: %s: %w", f.folder, query, err)
		}
		if count >= least {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %s: %d, want %d: %w", f.folder, query, count, least, ctx.Err())
		}
	}
}

// Each participant is so short that nobody minds to read it, or to write it anew; and so is
// what starts sagas.
func TestForeignParticipantsAreShort(t *testing.T) {
	t.Parallel()
	const most = 75
	for _, l := range languages {
		files, err := filepath.Glob(filepath.Join(folder(t, l.folder), "*.*"))
		require.NoError(t, err)
		lines := 0
		for _, file := range files {
			switch n := linesOf(t, file); {
			case strings.HasPrefix(filepath.Base(file), "start."):
				require.LessOrEqual(t, n, most, file)
			case strings.Contains(".py .js .sql", filepath.Ext(file)):
				lines += n
			}
		}
		require.Positive(t, lines, l.folder)
		require.LessOrEqual(t, lines, most, "lines of code in examples/participants/%s", l.folder)
		t.Logf("%s: %d lines", l.folder, lines)
	}
}

// linesOf counts those of code.
func linesOf(t *testing.T, file string) (lines int) {
	t.Helper()
	comment := regexp.MustCompile(`^(#|//|--|""".*"""$)`)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !comment.MatchString(line) {
			lines++
		}
	}
	return lines
}
