package lab

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// partTime bounds the wait for sessions that are about to end.
const partTime = 30 * time.Second

// Commits is how many transactions were committed in the databases since they were
// made, once nobody is connected to them: a session's last commits are counted when
// it ends. It asks from outside, so that asking adds nothing.
func (l *Lab) Commits(ctx context.Context, databases ...string) (int64, error) {
	names := make([]string, len(databases))
	for i, database := range databases {
		u, err := url.Parse(database)
		if err != nil {
			return 0, fmt.Errorf("count commits: the address of a database is not a URL")
		}
		names[i] = strings.TrimPrefix(u.Path, "/")
	}
	ctx, cancel := context.WithTimeout(ctx, partTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, l.servers.Postgres.URL)
	if err != nil {
		return 0, fmt.Errorf("connect to count commits: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		var connected, commits int64
		err := conn.QueryRow(ctx, `
			SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = ANY ($1)),
			       (SELECT coalesce(sum(xact_commit), 0)::bigint FROM pg_stat_database WHERE datname = ANY ($1))`,
			names).Scan(&connected, &commits)
		if err != nil {
			return 0, fmt.Errorf("count commits: %w", err)
		}
		if connected == 0 {
			return commits, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("count commits: %d sessions do not end: %w", connected, context.Cause(ctx))
		case <-tick.C:
		}
	}
}
