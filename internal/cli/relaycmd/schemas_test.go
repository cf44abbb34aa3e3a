package relaycmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/cli"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/rabbit"
)

// schemas are a list of one database's schemas, and the names of its entries.
func schemas(pool *pgxpool.Pool, of ...string) (list string, names []string) {
	config := pool.Config()
	for _, schema := range of {
		list += config.ConnString() + "&schema=" + schema + " "
		names = append(names, config.ConnConfig.Database+"/"+schema)
	}
	return list, names
}

func statusOf(t *testing.T, file string) (status relay.Status) {
	t.Helper()
	_, out, _ := command(t, t.Context(), file, "status", "--json")
	require.NoError(t, json.Unmarshal([]byte(out), &status), out)
	return status
}

func states(s relay.Status) (all []string) {
	for _, shard := range s.Shards {
		all = append(all, shard.Database+" "+shard.State)
	}
	return all
}

// insert appends a message, and rings nobody's bell.
func insert(t *testing.T, pool *pgxpool.Pool, schema, key string) {
	t.Helper()
	_, err := pool.Exec(t.Context(), `INSERT INTO `+pgx.Identifier{schema, "outbox"}.Sanitize()+`
		(aggregate_type, aggregate_id, type, exchange, routing_key, payload) VALUES ('a', $1, 't', '', 'q', '{}')`, key)
	require.NoError(t, err)
}

// Each schema of a database has its own tables, its own name, and its own state.
func TestSchemasOfOneDatabase(t *testing.T) {
	t.Parallel()
	pool, broker := testenv.Database(t), testenv.Vhost(t)
	list, names := schemas(pool, "reservation", "hotel", "payment")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	health := listener.Addr().String()
	common := "\namqp_url: " + broker + "\nlog_level: error\nrelay_lease: 2s\nhealth_addr: " + health + "\n"
	file := configFile(t, "database_urls: "+list+common)

	code, out, errs := command(t, t.Context(), configFile(t, "database_urls: "+pool.Config().ConnString()+"\ndatabase_schema: hotel\n"), "migrate")
	require.Equal(t, cli.ExitOK, code, errs)
	require.Equal(t, pool.Config().ConnConfig.Database+": the outbox tables are up to date\n", out, "a list that names no schema shows none")
	require.Equal(t, []string{names[0] + " no tables", names[1] + " no relay", names[2] + " no tables"}, states(statusOf(t, file)))

	// The relay of a schema that is there does not wait for the others.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan int, 1)
	go func() {
		code, _, _ := command(t, ctx, file, "run")
		ended <- code
	}()
	await := func(what string, is func(relay.Status) bool) {
		t.Helper()
		require.Eventually(t, func() bool { return is(statusOf(t, file)) }, 25*time.Second, 20*time.Millisecond, what)
	}
	await("the one that is there", func(s relay.Status) bool { return s.Shards[1].State == relay.StateActive })
	code, out, errs = command(t, t.Context(), file, "migrate")
	require.Equal(t, cli.ExitOK, code, errs)
	for _, name := range names {
		require.Contains(t, out, name+": the outbox tables are up to date\n")
	}
	await("all", func(s relay.Status) bool {
		return slices.Equal(states(s), []string{names[0] + " active", names[1] + " active", names[2] + " active"})
	})

	res, err := http.Get("http://" + health + "/metrics")
	require.NoError(t, err)
	metrics, err := io.ReadAll(res.Body)
	require.NoError(t, errors.Join(err, res.Body.Close()))
	for _, name := range names {
		require.Contains(t, string(metrics), `database="`+name+`"`)
	}

	// One message in the first, three in the third: nobody has a queue for them yet.
	insert(t, pool, "reservation", "r")
	for n := range 3 {
		insert(t, pool, "payment", fmt.Sprint(n))
	}
	await("parked in their schema", func(s relay.Status) bool {
		return len(s.Parked) == 2 && s.Parked[0].Database == names[0] && s.Parked[0].Messages == 1 &&
			s.Parked[1].Database == names[2] && s.Parked[1].Messages == 3
	})
	cancel()
	require.Equal(t, cli.ExitOK, <-ended)

	code, out, errs = command(t, t.Context(), file, "parked", "list")
	require.Equal(t, cli.ExitOK, code, errs)
	require.Regexp(t, `(?s)^DATABASE.*`+names[0]+` +1 .*`+names[2]+` +1 `, out)
	code, _, errs = command(t, t.Context(), file, "parked", "discard", "--all", "--note", "x", "--yes")
	require.Equal(t, cli.ExitUsage, code)
	require.Contains(t, errs, "say which with --database: "+names[0])
	code, _, errs = command(t, t.Context(), file, "parked", "discard", "--all", "--note", "x", "--yes", "--database", names[2])
	require.Equal(t, cli.ExitOK, code, errs)
	var left, given int
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM reservation.outbox_parked WHERE state = 'retry'),
		(SELECT count(*) FROM payment.outbox_parked WHERE state = 'discarded')`).Scan(&left, &given))
	require.Equal(t, []int{1, 3}, []int{left, given})
}

// Two relays share the shards of each schema as they do those of a database, and one takes
// over what the other leaves, in all schemas.
func TestRelaysShareTheSchemasOfADatabase(t *testing.T) {
	t.Parallel()
	pool, broker := testenv.Database(t), testenv.Vhost(t)
	testenv.Connections(t, 40)
	of := []string{"reservation", "hotel", "payment"}
	list, names := schemas(pool, of...)
	file := configFile(t, "database_urls: "+list+"\namqp_url: "+broker+"\nlog_level: error\nrelay_lease: 2s\nrelay_shards: 4\n")
	code, _, errs := command(t, t.Context(), file, "migrate")
	require.Equal(t, cli.ExitOK, code, errs)
	url := func(context.Context) (string, error) { return broker, nil }
	require.NoError(t, rabbit.Declare(t.Context(), rabbit.Config{URL: url}, rabbit.EventTopology(testenv.Owner, "q")))
	run := func() (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan int, 1)
		go func() {
			root := New()
			root.SetArgs([]string{"run", "--config", file})
			ended <- cli.Run(ctx, root)
		}()
		return func() {
			cancel()
			require.Equal(t, cli.ExitOK, <-ended)
		}
	}
	// held is how many of a schema's shards each process holds.
	held := func(s relay.Status, name string) (each []int) {
		holders := map[string]int{}
		for _, shard := range s.Shards {
			if shard.Database == name && shard.State == relay.StateActive {
				holders[shard.Holder[:strings.LastIndex(shard.Holder, "/")]]++
			}
		}
		return slices.Sorted(maps.Values(holders))
	}
	await := func(what string, want []int) {
		t.Helper()
		require.Eventually(t, func() bool {
			s := statusOf(t, file)
			return !slices.ContainsFunc(names, func(name string) bool { return !slices.Equal(held(s, name), want) })
		}, time.Minute, 50*time.Millisecond, what)
	}
	stopOne := run()
	defer run()()
	await("shared", []int{2, 2})
	for n, schema := range of {
		for m := range 20 * (n + 1) {
			insert(t, pool, schema, fmt.Sprint(m))
		}
	}
	stopOne()
	await("taken over", []int{4})
	require.Eventually(t, func() bool { return statusOf(t, file).OK() }, time.Minute, 50*time.Millisecond)
	s := statusOf(t, file)
	require.Empty(t, s.Parked)
	for _, shard := range s.Shards {
		require.Zero(t, shard.Pending, shard.Database)
	}
	queues, err := rabbit.Inspect(t.Context(), rabbit.Config{URL: url}, "q")
	require.NoError(t, err)
	require.Equal(t, 20+40+60, queues[0].Messages, "each of the three, and none twice")
}
