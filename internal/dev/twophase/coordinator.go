package twophase

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Moments at which a coordinator can be made to stand still, for the one that kills it.
const (
	AllPrepared  = "all-prepared"  // nothing is decided yet
	OneCommitted = "one-committed" // the decision is on disk, one of three has committed
)

// Coordinator is what the coordinator's process is told.
type Coordinator struct {
	Server      string // the URL of the server
	Log         string // the file of its decisions
	Transaction string // the name of this one
	Halt        string // the moment at which it stands still, if any
}

// Args are the settings as arguments of a process, see [Coordinate].
func (c Coordinator) Args() []string { return []string{c.Server, c.Log, c.Transaction, c.Halt} }

// Coordinate is the coordinator's process. In the first phase it has each database do its
// part and prepare it; then it writes its decision to its log; in the second phase the
// databases commit. Where a database cannot prepare, those that have roll back.
//
// At the moment of Halt it says so on out and waits until in ends. Then it goes on, so that
// it leaves nothing in doubt when the one that wanted to kill it has died itself.
func Coordinate(ctx context.Context, args []string, in io.Reader, out io.Writer) (err error) {
	if len(args) != 4 {
		return fmt.Errorf("the coordinator got %d arguments, want the server's URL, the file of its log, the transaction's name and where to halt", len(args))
	}
	c := Coordinator{Server: args[0], Log: args[1], Transaction: args[2], Halt: args[3]}
	halt := func(moment string) {
		if moment == c.Halt {
			_, _ = fmt.Fprintln(out, moment)
			_, _ = io.Copy(io.Discard, in)
		}
	}
	conns := make([]*pgx.Conn, len(branches))
	decided := false
	for i, b := range branches {
		if conns[i], err = pgx.Connect(ctx, b.url(c.Server)); err != nil {
			return err
		}
		defer func() { _ = conns[i].Close(context.WithoutCancel(ctx)) }()
	}
	for i, b := range branches {
		if err := b.prepare(ctx, conns[i], c.Transaction); err != nil {
			return err
		}
		defer func() {
			if !decided {
				err = errors.Join(err, finish(context.WithoutCancel(ctx), conns[i], false, b.gid(c.Transaction)))
			}
		}()
	}
	halt(AllPrepared)
	if err := writeDecision(c.Log, c.Transaction); err != nil {
		return err
	}
	decided = true
	for i, b := range branches {
		if err := finish(ctx, conns[i], true, b.gid(c.Transaction)); err != nil {
			return fmt.Errorf("%w; it is decided: the recovery commits it", err)
		}
		if i == 0 {
			halt(OneCommitted)
		}
	}
	return nil
}

// prepare is the first phase of one branch.
func (b branch) prepare(ctx context.Context, conn *pgx.Conn, transaction string) error {
	for _, statement := range []string{
		`BEGIN`, `SET LOCAL lock_timeout = '5s'`, b.act, `PREPARE TRANSACTION ` + literal(b.gid(transaction)),
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("prepare the part of %s: %w", b.name, err) // with the session the transaction ends
		}
	}
	return nil
}

const decisionCommit = "commit "

// writeDecision has the decision on disk before anybody commits. That nothing stands there is
// a decision too: presumed abort.
func writeDecision(log, transaction string) error {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the coordinator's log: %w", err)
	}
	_, err = file.WriteString(decisionCommit + transaction + "\n")
	return errors.Join(err, file.Sync(), file.Close())
}

// decidedToCommit reads the log. A line that was not written whole decides nothing.
func decidedToCommit(log, transaction string) (bool, error) {
	text, err := os.ReadFile(log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, fmt.Errorf("read the coordinator's log: %w", err)
	}
	lines := bufio.NewReader(strings.NewReader(string(text)))
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return false, nil
		}
		if line == decisionCommit+transaction+"\n" {
			return true, nil
		}
	}
}

// Recover resolves what a dead coordinator has left in doubt: what its log says to commit is
// committed, everything else is rolled back. It may be repeated. The coordinator has to be
// dead, for it could decide otherwise in between.
func Recover(ctx context.Context, server, log, transaction string) (commit bool, resolved []string, err error) {
	commit, err = decidedToCommit(log, transaction)
	if err != nil {
		return false, nil, err
	}
	for _, b := range branches {
		err := in(ctx, b.url(server), func(conn *pgx.Conn) error {
			gids, err := prepared(ctx, conn, transaction+".")
			for _, gid := range gids {
				if err := finish(ctx, conn, commit, gid); err != nil {
					return err
				}
				resolved = append(resolved, b.name)
			}
			return err
		})
		if err != nil {
			return commit, resolved, fmt.Errorf("resolve what is in doubt in %s: %w", b.database(), err)
		}
	}
	return commit, resolved, nil
}
