package outboxpg

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	sagasql "go.example/saga/sql"
)

// Behind a pooler in transaction mode each statement may meet another session, with what
// somebody else prepared there. Twice as many connections as sessions write and read.
func TestLogWorksBehindPgBouncer(t *testing.T) {
	t.Parallel()
	const writers, commits, connections = 6, 25, 8
	config := at(t, testenv.PgBouncer(t, testenv.Database(t, sagasql.Outbox)))
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	config.MaxConns = connections
	pool := openPool(t, config)
	log := New(pool, "")
	tenure, err := log.Acquire(t.Context(), 0, "one", time.Minute)
	require.NoError(t, err)

	group, ctx := errgroup.WithContext(t.Context())
	for w := range writers {
		group.Go(func() error {
			for i := range commits {
				err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
					return outbox.Append(ctx, tx, outbox.Message{
						AggregateType: "test", AggregateID: fmt.Sprint(w), Type: fmt.Sprint(i), RoutingKey: "queue", Payload: []byte(`{}`),
					})
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	read := map[string][]string{}
	place := tenure.Position()
	group.Go(func() error {
		for n := 0; n < writers*commits; {
			page, err := tenure.Read(ctx, place, 10)
			if err != nil {
				return err
			}
			for _, r := range page.Records {
				read[r.AggregateID] = append(read[r.AggregateID], r.Type)
			}
			n, place = n+len(page.Records), page.End()
			if _, err := tenure.Save(ctx, Progress{Position: place}); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, group.Wait())
	for w := range writers {
		require.Equal(t, numbered("", commits), read[fmt.Sprint(w)])
	}
	require.NoError(t, tenure.Release(t.Context(), Progress{Position: place}))
	next, err := log.Acquire(t.Context(), 0, "two", time.Minute)
	require.NoError(t, err)
	page, err := next.Read(t.Context(), next.Position(), 10)
	require.NoError(t, err)
	require.Empty(t, page.Records)
}
