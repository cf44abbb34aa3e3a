package testenv

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"go.example/saga/internal/dev/services"
)

// crowded is how many databases of ended tests a process keeps at most, of 9 MB each.
const crowded = 100

// dropTime bounds how long it takes to drop so many on a busy machine.
const dropTime = 5 * time.Minute

// spent are the databases of ended tests. They are dropped together when there are many,
// and at the end of the process: a database is some 300 files, and where the file system
// is an ext4 without a journal, a file made within the minute after others were deleted
// costs a look at each of them, which was a third of all that the server did.
var spent spentDatabases

type spentDatabases struct {
	mu    sync.Mutex
	names []string
}

// add ends the sessions in a database whose test has ended, as dropping it would.
func (s *spentDatabases) add(ctx context.Context, server services.Postgres, name string) error {
	conn, err := pgx.Connect(ctx, server.URL)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, name)
	_ = conn.Close(ctx)
	if err != nil {
		return fmt.Errorf("end the sessions in database %s: %w", name, err)
	}
	s.mu.Lock()
	s.names = append(s.names, name)
	full := len(s.names) >= crowded
	s.mu.Unlock()
	if full {
		return s.drop(ctx)
	}
	return nil
}

// drop drops them all. Each takes a checkpoint of the server.
func (s *spentDatabases) drop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTime)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.names) == 0 {
		return nil
	}
	set, err := located()
	if err != nil {
		return err
	}
	if err := set.Postgres.DropDatabases(ctx, s.names...); err != nil {
		return err
	}
	s.names = nil
	return nil
}
