package twophase

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/dev/services"
)

// Settings are what [Show] works with.
type Settings struct {
	Server string // a server that is [Permitted]
	// Coordinator makes the command of a process that does [Coordinate] with the arguments.
	Coordinator func(args ...string) *exec.Cmd
	// Away is how long nobody resolves what the dead coordinator has left.
	Away time.Duration
}

// Figures are what one killed coordinator has cost.
type Figures struct {
	Killed    string // the moment
	Waits     []Wait // while it was dead
	Committed bool   // what the recovery decided
	After     []Wait // when all was resolved
}

// bound is for the whole, whatever hangs.
const bound = 3 * time.Minute

// Show kills a coordinator at each of the moments, in databases of its own on the server, and
// tells what others see and how it is resolved. Whatever fails, nothing prepared is left.
func Show(ctx context.Context, s Settings, out io.Writer) (all []Figures, err error) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	free, err := alone(ctx, s.Server)
	if err != nil {
		return nil, err
	}
	defer free()
	defer func() { err = errors.Join(err, Clean(ctx, s.Server)) }()
	if err := makeDatabases(ctx, s.Server); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "saga-2pc-log-")
	if err != nil {
		return nil, fmt.Errorf("make the directory of the coordinator's log: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, moment := range []string{AllPrepared, OneCommitted} {
		c := Coordinator{
			Server: s.Server, Log: filepath.Join(dir, "decisions"),
			Transaction: "saga-2pc-" + uuid.NewString(), Halt: moment,
		}
		figures, err := s.round(ctx, c, out)
		if err != nil {
			return nil, err
		}
		all = append(all, figures)
	}
	return all, nil
}

// twoPhaseLock is the advisory lock of a demo that uses the databases, whose names are fixed.
const twoPhaseLock = 0x32706373616761

// alone keeps others from the same databases.
func alone(ctx context.Context, server string) (free func(), err error) {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return nil, err
	}
	free = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
		defer cancel()
		_, _ = conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`) // the session's end comes a moment later
		_ = conn.Close(ctx)
	}
	var got bool
	err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(twoPhaseLock)).Scan(&got)
	if err == nil && !got {
		err = fmt.Errorf("somebody else shows two-phase commit on this server, in the databases %s*: try again when that has ended", services.TwoPhasePrefix)
	}
	if err != nil {
		free()
		return nil, err
	}
	return free, nil
}

var stories = map[string]string{
	AllPrepared:  "after all three have prepared, before its decision is on disk",
	OneCommitted: "after its decision is on disk and one of three has committed",
}

// round kills one coordinator.
func (s Settings) round(ctx context.Context, c Coordinator, out io.Writer) (Figures, error) {
	say := func(format string, args ...any) { fmt.Fprintf(out, "  "+format+"\n", args...) }
	fmt.Fprintf(out, "\nThe coordinator is killed %s:\n", stories[c.Halt])
	if err := s.kill(ctx, c); err != nil {
		return Figures{}, err
	}
	say("killed with SIGKILL; nobody comes for %v. Meanwhile, for each row:", s.Away)
	f := Figures{Killed: c.Halt}
	measured := make(chan error, 1)
	go func() {
		var err error
		f.Waits, err = Measure(ctx, rows(s.Server))
		measured <- err
	}()
	select {
	case <-time.After(s.Away):
	case <-ctx.Done():
	}
	var resolved []string
	var err error
	f.Committed, resolved, err = Recover(ctx, s.Server, c.Log, c.Transaction)
	if err != nil {
		err = errors.Join(err, Clean(ctx, s.Server)) // so that nobody waits for it any more
	}
	if err := errors.Join(err, <-measured); err != nil {
		return Figures{}, err
	}
	if err := Table(out, f.Waits); err != nil {
		return Figures{}, err
	}
	if f.Committed {
		say("recovery: the log says commit: COMMIT PREPARED in %s", strings.Join(resolved, ", "))
	} else {
		say("recovery: the log decides nothing, so abort is presumed: ROLLBACK PREPARED in %s", strings.Join(resolved, ", "))
	}
	if f.After, err = Measure(ctx, rows(s.Server)); err != nil {
		return Figures{}, err
	}
	return f, s.check(f, resolved, say)
}

// check compares with what two-phase commit promises.
func (s Settings) check(f Figures, resolved []string, say func(string, ...any)) error {
	before, after := "PENDING nobody 100000", "SUCCEED ada 50100"
	want, inDoubt := before, len(branches)
	if f.Killed == OneCommitted {
		want, inDoubt = after, len(branches)-1
	}
	var seen []string
	for _, w := range f.After {
		seen = append(seen, w.Seen)
	}
	if got := strings.Join(seen, " "); got != want || len(resolved) != inDoubt || f.Committed != (want == after) {
		return fmt.Errorf("killed %s: the databases say %q and %d were in doubt, expected %q and %d", f.Killed, got, len(resolved), want, inDoubt)
	}
	say("now all three agree: %s", strings.Join(seen, ", "))
	return nil
}

// kill starts the coordinator, waits for the moment and kills it.
func (s Settings) kill(ctx context.Context, c Coordinator) error {
	cmd := s.Coordinator(c.Args()...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the coordinator: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	_ = cmd.Process.Kill() // before its input ends, or it would go on
	_ = stdin.Close()
	_ = cmd.Wait() // it was killed, or its complaint says why it ended
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil && strings.TrimSpace(line) != c.Halt {
		err = fmt.Errorf("it said %q", line)
	}
	if err != nil {
		return fmt.Errorf("the coordinator has not come to the moment %s: %w: %s", c.Halt, err, complaint.String())
	}
	return nil
}

// Table prints the waits.
func Table(out io.Writer, waits []Wait) error {
	var lines [][]string
	for _, w := range waits {
		lines = append(lines, []string{"  " + w.Row, Round(w.Lock), Round(w.Write), Round(w.Read), w.Seen})
	}
	return cli.Table(out, []string{"  row", "SELECT … FOR UPDATE", "UPDATE", "plain SELECT", "which sees"}, lines)
}

// Round is the time in the unit that suits it.
func Round(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
