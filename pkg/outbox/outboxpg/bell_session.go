package outboxpg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	sagasql "go.example/saga/sql"
)

var (
	// errPooled: LISTEN would succeed, and nothing would ever arrive.
	errPooled = errors.New("no announcements arrive over a connection that works: is there a pooler in transaction mode? " +
		"Connect the relay directly to hear them; nothing else suffers")
	errSilent = errors.New("an announcement to itself did not arrive")
)

// listen is one session: it listens until something is wrong, and says what.
func (b *Bell) listen(ctx context.Context) error {
	conn, err := b.connect(ctx)
	if err != nil {
		return fmt.Errorf("connect to listen: %w", err)
	}
	defer b.hangUp(ctx, conn)
	if err := b.subscribe(ctx, conn); err != nil {
		return err
	}
	b.ring(time.Now())
	return b.attend(ctx, conn)
}

// connect takes a connection of the pool away, so that it is made as the pool's are.
func (b *Bell) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, b.pace.answer)
	defer cancel()
	pooled, err := b.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	return pooled.Hijack(), nil
}

func (b *Bell) hangUp(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.pace.echo)
	defer cancel()
	_ = conn.Close(ctx) // it is given up, whatever the state it is in
}

func (b *Bell) subscribe(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, b.pace.answer)
	defer cancel()
	if err := b.requireOwnBackend(ctx, conn); err != nil {
		return err
	}
	// The one statement made here: LISTEN takes no parameters.
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{b.channel}.Sanitize()); err != nil {
		return fmt.Errorf("listen to %s: %w", b.channel, err)
	}
	return nil
}

// requireOwnBackend fails with errPooled where a pooler lends the connection's backend
// to others between transactions. This has to be known before the LISTEN, which would
// stay with the backend and have the announcements sent to strangers.
//
// Without a pooler, the server has told the client the backend's number. With one, the
// backend is lent if somebody else gets it, or this client gets another. One look may
// miss that on a busy pooler.
func (b *Bell) requireOwnBackend(ctx context.Context, conn *pgx.Conn) error {
	own, err := backend(ctx, conn)
	if err != nil || own == conn.PgConn().PID() {
		return err
	}
	const looks = 5
	for range looks {
		other, err := backend(ctx, b.pool)
		if err != nil {
			return err
		}
		again, err := backend(ctx, conn)
		if err != nil {
			return err
		}
		if other == own || again != own {
			return errPooled
		}
	}
	return nil
}

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// backend asks in a way that no pooler can spoil: without a prepared statement.
func backend(ctx context.Context, db querier) (pid uint32, err error) {
	err = db.QueryRow(ctx, sagasql.Query("", "relay/backend.sql"), pgx.QueryExecModeExec).Scan(&pid)
	if err != nil {
		return 0, fmt.Errorf("ask for the number of the backend: %w", err)
	}
	return pid, nil
}

// attend hears announcements and checks that they can be heard.
func (b *Bell) attend(ctx context.Context, conn *pgx.Conn) error {
	token, echo := rand.Text(), make(chan struct{}, 1)
	group, both := errgroup.WithContext(ctx)
	group.Go(func() error { return b.hear(both, conn, token, echo) })
	group.Go(func() error { return b.check(both, token, echo) })
	err := group.Wait()
	if errors.Is(err, errSilent) && b.answers(ctx, conn) {
		return errPooled
	}
	return err
}

// hear rings at each announcement but the session's own ones.
func (b *Bell) hear(ctx context.Context, conn *pgx.Conn, token string, echo chan<- struct{}) error {
	for {
		said, err := conn.WaitForNotification(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("wait for announcements: %w", err)
		case said.Payload == token:
			echo <- struct{}{}
		default:
			b.ring(time.Now())
		}
	}
}

// check announces something to itself, now and then, through a connection of the pool.
// Nothing else notices a connection that has fallen silent: a listener has nothing to
// send that would remain unanswered.
func (b *Bell) check(ctx context.Context, token string, echo <-chan struct{}) error {
	for {
		if err := b.announce(ctx, token); err != nil {
			return fmt.Errorf("announce something to itself: %w", err)
		}
		select {
		case <-echo:
		case <-time.After(b.pace.echo):
			return errSilent
		case <-ctx.Done():
			return ctx.Err()
		}
		b.set(BellState{Listening: true})
		sleep(ctx, b.pace.check)
	}
}

func (b *Bell) announce(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, b.pace.answer)
	defer cancel()
	_, err := b.pool.Exec(ctx, sagasql.Query("", "relay/notify.sql"), pgx.QueryExecModeExec, b.channel, text)
	return err
}

func (b *Bell) answers(ctx context.Context, conn *pgx.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, b.pace.echo)
	defer cancel()
	return conn.Ping(ctx) == nil
}
