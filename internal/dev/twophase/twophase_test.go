package twophase

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/testenv"
)

// coordinate has this program be a coordinator.
const coordinate = "coordinate"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == coordinate {
		if err := Coordinate(context.Background(), os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	testenv.Main(m)
}

func coordinator(args ...string) *exec.Cmd {
	return exec.Command(os.Args[0], append([]string{coordinate}, args...)...)
}

// All in turn, because the names of the databases are fixed.
func TestTwoPhaseCommit(t *testing.T) {
	t.Parallel()
	server, stop, err := Private(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop()) })
	for name, test := range map[string]func(*testing.T, string){
		"a killed coordinator blocks until it is resolved": killedCoordinatorBlocks,
		"nothing prepared is left by an interrupt":         nothingIsLeft,
		"nothing prepared is left by a failure":            nothingIsLeftByAFailure,
		"leftovers are removed":                            leftoversAreRemoved,
		"a foreign database is left alone":                 foreignDatabaseIsLeftAlone,
		"one at a time":                                    oneAtATime,
		"all abort where one cannot prepare":               oneCannotPrepare,
	} {
		t.Run(name, func(t *testing.T) { test(t, server) })
	}
}

// requireNothingLeft looks for what is prepared, in any database, and for the databases.
func requireNothingLeft(t *testing.T, server string) {
	t.Helper()
	var prepared, databases int
	require.NoError(t, in(context.Background(), server, func(conn *pgx.Conn) error {
		return conn.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM pg_prepared_xacts),
			(SELECT count(*) FROM pg_database WHERE starts_with(datname, $1))`, services.TwoPhasePrefix).Scan(&prepared, &databases)
	}))
	require.Zero(t, prepared, "prepared transactions")
	require.Zero(t, databases, "databases")
}

// A dead coordinator blocks others' work on the rows until somebody resolves what is in
// doubt; readers without locks go on and see what is half done.
func killedCoordinatorBlocks(t *testing.T, server string) {
	require.NoError(t, Permitted(t.Context(), server))
	const away = time.Second
	all, err := Show(t.Context(), Settings{Server: server, Coordinator: coordinator, Away: away}, t.Output())
	require.NoError(t, err)
	requireNothingLeft(t, server)
	require.Len(t, all, 2)
	for _, f := range all {
		blocked := f.Waits
		if f.Killed == OneCommitted {
			require.Equal(t, "SUCCEED", f.Waits[0].Seen, "committed alone")
			require.Less(t, max(f.Waits[0].Lock, f.Waits[0].Write), away/2)
			blocked = blocked[1:]
		} else {
			require.Equal(t, "PENDING", f.Waits[0].Seen)
		}
		require.Equal(t, "nobody", f.Waits[1].Seen)
		for _, w := range blocked {
			require.GreaterOrEqual(t, min(w.Lock, w.Write), away/2, "%s %s", f.Killed, w.Row)
		}
		for _, w := range append(f.After, f.Waits...) {
			require.Less(t, w.Read, away/2, "plain reading waits for nobody")
		}
		for _, w := range f.After {
			require.Less(t, max(w.Lock, w.Write), away/2)
		}
	}
}

// interrupting ends the context with its n-th line.
type interrupting struct {
	n    int
	stop func()
}

func (w *interrupting) Write(p []byte) (int, error) {
	lines := bytes.Count(p, []byte("\n"))
	if w.n > 0 && w.n <= lines {
		w.stop()
	}
	w.n -= lines
	return len(p), nil
}

// Wherever it is interrupted, nothing is left.
func nothingIsLeft(t *testing.T, server string) {
	for n := 1; ; n++ {
		ctx, stop := context.WithCancel(t.Context())
		out := &interrupting{n: n, stop: stop}
		_, err := Show(ctx, Settings{Server: server, Coordinator: coordinator, Away: 100 * time.Millisecond}, out)
		stop()
		requireNothingLeft(t, server)
		if out.n > 0 {
			require.NoError(t, err)
			require.Greater(t, n, 8, "it says more than so")
			return
		}
	}
}

func nothingIsLeftByAFailure(t *testing.T, server string) {
	for name, command := range map[string]func(...string) *exec.Cmd{
		"there is no such program":  func(...string) *exec.Cmd { return exec.Command("/does/not/exist") },
		"it ends before the moment": func(...string) *exec.Cmd { return exec.Command("true") },
		"it never comes there": func(args ...string) *exec.Cmd {
			args[3] = ""
			return coordinator(args...)
		},
	} {
		_, err := Show(t.Context(), Settings{Server: server, Coordinator: command, Away: time.Millisecond}, io.Discard)
		require.ErrorContains(t, err, "the coordinator", name)
		requireNothingLeft(t, server)
	}
}

// What an earlier one left, which was killed itself, is removed by the next.
func leftoversAreRemoved(t *testing.T, server string) {
	ctx := t.Context()
	require.NoError(t, makeDatabases(ctx, server))
	for _, b := range branches {
		require.NoError(t, in(ctx, b.url(server), func(conn *pgx.Conn) error { return b.prepare(ctx, conn, "left") }))
	}
	_, err := Show(ctx, Settings{Server: server, Coordinator: coordinator, Away: time.Millisecond}, io.Discard)
	require.NoError(t, err)
	requireNothingLeft(t, server)
}

// What another project has under these names is not touched.
func foreignDatabaseIsLeftAlone(t *testing.T, server string) {
	ctx := t.Context()
	require.NoError(t, in(ctx, server, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `CREATE DATABASE saga_2pc_hotel`)
		return err
	}))
	_, err := Show(ctx, Settings{Server: server, Coordinator: coordinator}, io.Discard)
	require.ErrorContains(t, err, "saga_2pc_hotel")
	require.NoError(t, in(ctx, services.Postgres{URL: server}.Database("saga_2pc_hotel"), func(*pgx.Conn) error { return nil }))
	require.NoError(t, in(ctx, server, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `DROP DATABASE saga_2pc_hotel`)
		return err
	}))
}

func oneAtATime(t *testing.T, server string) {
	free, err := alone(t.Context(), server)
	require.NoError(t, err)
	_, err = Show(t.Context(), Settings{Server: server, Coordinator: coordinator}, io.Discard)
	require.ErrorContains(t, err, "somebody else shows two-phase commit")
	free()
}

// A database that cannot prepare turns back those that have.
func oneCannotPrepare(t *testing.T, server string) {
	ctx := t.Context()
	require.NoError(t, makeDatabases(ctx, server))
	last := branches[len(branches)-1]
	require.NoError(t, in(ctx, last.url(server), func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `ALTER TABLE public.account ADD CHECK (balance >= 100000)`)
		return err
	}))
	log := filepath.Join(t.TempDir(), "decisions")
	c := Coordinator{Server: server, Log: log, Transaction: "t"}
	err := Coordinate(ctx, c.Args(), strings.NewReader(""), io.Discard)
	require.ErrorContains(t, err, "prepare the part of payment")
	require.NoFileExists(t, log)
	for _, b := range branches {
		require.NoError(t, in(ctx, b.url(server), func(conn *pgx.Conn) error {
			gids, err := prepared(ctx, conn, "")
			require.Empty(t, gids)
			return err
		}))
	}
	waits, err := Measure(ctx, rows(server))
	require.NoError(t, err)
	require.Equal(t, "PENDING", waits[0].Seen)

	// Its killer has died itself: it goes on and leaves nothing in doubt.
	require.NoError(t, makeDatabases(ctx, server))
	c.Halt = AllPrepared
	var said bytes.Buffer
	require.NoError(t, Coordinate(ctx, c.Args(), strings.NewReader(""), &said))
	require.Equal(t, AllPrepared+"\n", said.String())
	waits, err = Measure(ctx, rows(server))
	require.NoError(t, err)
	require.Equal(t, "ada", waits[1].Seen)
	require.NoError(t, Clean(ctx, server))
	requireNothingLeft(t, server)
}

// Half a line in the log is no decision.
func TestLogDecides(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "decisions")
	for text, want := range map[string]bool{"": false, "commit t": false, "commit t\n": true, "commit t1\n": false, "commit x\ncommit t\n": true, "commit x\nco": false} {
		require.NoError(t, os.WriteFile(log, []byte(text), 0o600))
		commit, err := decidedToCommit(log, "t")
		require.NoError(t, err)
		require.Equal(t, want, commit, "%q", text)
	}
	require.NoError(t, os.Remove(log))
	commit, err := decidedToCommit(log, "t")
	require.NoError(t, err)
	require.False(t, commit)
	require.ErrorContains(t, Coordinate(t.Context(), nil, nil, nil), "got 0 arguments")
}

// A server with PostgreSQL's default says what to set, and a private one is found instead.
func TestServerThatForbidsItIsNotUsed(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t)
	var most int
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT current_setting('max_prepared_transactions')::integer`).Scan(&most))
	usual := pool.Config().ConnString()
	if most > 0 {
		require.NoError(t, Permitted(t.Context(), usual))
	} else {
		require.EqualError(t, Permitted(t.Context(), usual), "max_prepared_transactions is 0 on this server, and 3 are needed, one a database. "+
			"Run ALTER SYSTEM SET max_prepared_transactions = 10 as a superuser and restart PostgreSQL")
	}
	server, stop, err := Find(t.Context(), usual, func(string, ...any) {})
	require.NoError(t, err)
	require.NoError(t, Permitted(t.Context(), server))
	require.NoError(t, stop())
	if most == 0 {
		_, _, err = find(t.Context(), usual, func(string, ...any) {}, func(context.Context) (string, func() error, error) {
			return "", nil, errors.New("no initdb")
		})
		require.ErrorContains(t, err, "Run ALTER SYSTEM SET max_prepared_transactions = 10")
		require.ErrorContains(t, err, "A private server cannot be had either: no initdb")
	}
	_, _, err = Find(t.Context(), "postgres://127.0.0.1:1/x?sslmode=disable", func(string, ...any) {})
	require.ErrorContains(t, err, "ask how many transactions may be prepared")
}
