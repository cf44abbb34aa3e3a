package fault

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/outbox/outboxpg"
	sagasql "go.example/saga/sql"
)

// copied is a log on its way from one database to another.
type copied struct {
	*testing.T
	from, to       *cluster
	source, target string
}

// restores are ways to bring it there.
var restores = map[string]func(copied){
	"psql":           func(c copied) { c.create().psql(c.dump()) },
	"psql at once":   func(c copied) { c.create().psql(c.dump(), "--single-transaction") },
	"inserts":        func(c copied) { c.create().psql(c.dump("--inserts")) },
	"parallel":       func(c copied) { c.create().parallel(c.dump("--format=custom")) },
	"data":           func(c copied) { c.migrate().psql(c.dump(data...)) },
	"data, inserts":  func(c copied) { c.migrate().psql(c.dump(append(data, "--inserts")...)) },
	"data, parallel": func(c copied) { c.migrate().parallel(c.dump(append(data, "--format=custom")...)) },
	"data, without triggers": func(c copied) {
		c.migrate().psql(c.dump(append(data, "--disable-triggers")...))
	},
}

// data are the options for a dump of the tables' contents alone.
var data = []string{"--data-only", "--table=public.outbox*"}

// TestACopiedLogIsMadeWhole: whichever way a log comes into a database that no relay serves,
// what was published stays so, and the rest is published, with all that services write there
// before a relay comes.
func TestACopiedLogIsMadeWhole(t *testing.T) {
	t.Parallel()
	from, to := newCluster(t), newCluster(t)
	from.start()
	to.start()
	// The other cluster has given the numbers of one log already, and not those of the other.
	for _, source := range []string{"past", "future"} {
		from.exec("postgres", `CREATE DATABASE `+source)
		require.NoError(t, sagasql.Up(t.Context(), from.url(source), "", sagasql.Outbox))
		pool := from.pool(source)
		from.exec(source, named("published"))
		require.Equal(t, []string{"published"}, takeAll(t, pool))
		(&road{T: t, db: pool}).halfPublished()
		to.burn(5000)
		from.burn(20_000)
	}
	for way, restore := range restores {
		for _, source := range []string{"past", "future"} {
			t.Run(source+", "+way, func(t *testing.T) {
				c := copied{T: t, from: from, to: to, source: source, target: strings.NewReplacer(",", "", " ", "_").Replace(source + " " + way)}
				restore(c)
				c.requireWhole()
			})
		}
	}
	t.Run("another database of the cluster", func(t *testing.T) {
		c := copied{T: t, from: from, to: from, source: "past", target: "copy"}
		restores["psql"](c)
		c.requireWhole()
	})
}

func (c copied) create() copied {
	c.Helper()
	c.to.exec("postgres", `CREATE DATABASE `+c.target)
	return c
}

// migrate makes the target an outbox that no relay has served, without a position.
func (c copied) migrate() copied {
	c.Helper()
	c.create()
	require.NoError(c, sagasql.Up(c.Context(), c.to.url(c.target), "", sagasql.Outbox))
	c.to.exec(c.target, `DELETE FROM public.outbox_position`)
	return c
}

func (c copied) dump(options ...string) (file string) {
	c.Helper()
	file = filepath.Join(filepath.Dir(c.from.data), c.target)
	c.from.program("pg_dump", append(options, "--file="+file, c.from.url(c.source))...)
	return file
}

func (c copied) psql(file string, options ...string) {
	c.Helper()
	c.to.program("psql", append(options, "--quiet", "--set=ON_ERROR_STOP=1", "--file="+file, c.to.url(c.target))...)
}

func (c copied) parallel(file string) {
	c.Helper()
	c.to.program("pg_restore", "--exit-on-error", "--jobs=2", "--dbname="+c.to.url(c.target), file)
}

// requireWhole lets services and an operator work in the target first.
func (c copied) requireWhole() {
	c.Helper()
	pool := c.to.pool(c.target)
	c.to.exec(c.target, `SELECT public.outbox_parked_retry(ARRAY(SELECT id FROM public.outbox_parked), 'try again')`)
	c.to.exec(c.target, `SELECT public.outbox_replay(ARRAY(SELECT id FROM public.outbox), 'once more')`)
	want := c.written(pool)
	// Where contents alone were restored, it could be one of theirs.
	if !strings.Contains(c.target, "data") {
		want = append(want, "brought")
	}
	for key := 1; key <= 4; key++ {
		for n := 6; n <= 10; n++ {
			want = append(want, fmt.Sprintf("%d:%d", key, n))
		}
	}
	require.Equal(c, []string{"pending"}, texts(c.T, pool, `SELECT DISTINCT state FROM public.outbox_overview`))
	requireSame(c.T, want, takeAll(c.T, pool))
	require.Equal(c, []string{"1:3 retry", "1:4 waiting", "1:5 waiting"}, texts(c.T, pool,
		`SELECT o.type || ' ' || k.state FROM public.outbox_parked AS k JOIN public.outbox AS o USING (id, event_id) ORDER BY o.id`))
}

// written is what services write: alone, within savepoints, and many at once beside both.
func (c copied) written(pool *pgxpool.Pool) (types []string) {
	c.Helper()
	for _, sql := range []string{named("alone"), named("beside") + `; ` + brought, named("mended"), `UPDATE public.outbox SET routing_key = '` + testQueue + `' WHERE type IN ('alone', 'beside', 'mended')`} {
		c.to.exec(c.target, sql)
	}
	require.NoError(c, pgx.BeginFunc(c.Context(), pool, func(tx pgx.Tx) error {
		for i := range 20 {
			types = append(types, fmt.Sprint("savepoint ", i))
			if err := pgx.BeginFunc(c.Context(), tx, func(inner pgx.Tx) error {
				_, err := inner.Exec(c.Context(), named(types[i]))
				return err
			}); err != nil {
				return err
			}
		}
		for i := range 200 {
			types = append(types, fmt.Sprint("large ", i))
			if _, err := tx.Exec(c.Context(), named(types[len(types)-1])); err != nil {
				return err
			}
		}
		return nil
	}))
	return append(types, "alone", "beside", "mended")
}

// named inserts a message of this type.
func named(messageType string) string {
	return `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		VALUES ('thing', '9', '` + messageType + `', '', '` + testQueue + `', '{}')`
}

// brought is a message of another log, that the dump's position would count as published.
const brought = `INSERT INTO public.outbox (xact, aggregate_type, aggregate_id, type, exchange, routing_key, payload)
	VALUES ('4', 'thing', '9', 'brought', '', '` + testQueue + `', '{}')`

// takeAll does what a relay does: it makes the log whole where that is needed, and reads it
// to its end. It returns the types of all messages.
func takeAll(t *testing.T, pool *pgxpool.Pool) (types []string) {
	t.Helper()
	log := outboxpg.New(pool, "")
	tenure, err := log.Acquire(t.Context(), 0, "one", time.Minute)
	if err != nil {
		require.ErrorIs(t, err, outboxpg.ErrForeign)
		_, err = log.Rebase(t.Context())
		require.NoError(t, err)
		tenure, err = log.Acquire(t.Context(), 0, "one", time.Minute)
		require.NoError(t, err)
	}
	for at := tenure.Position(); ; {
		page, err := tenure.Read(t.Context(), at, 1000)
		require.NoError(t, err)
		if len(page.Records) == 0 {
			require.NoError(t, tenure.Release(t.Context(), outboxpg.Progress{Position: page.End()}))
			return types
		}
		for _, record := range page.Records {
			types = append(types, record.Type)
		}
		at = page.End()
	}
}

// requireSame compares two sets of many, and shows the difference alone.
func requireSame(t *testing.T, want, got []string) {
	t.Helper()
	missing, unwanted := difference(want, got), difference(got, want)
	require.Empty(t, missing, "passed over")
	require.Empty(t, unwanted, "not to be published")
	require.Len(t, got, len(want))
}

func difference(of, without []string) []string {
	return slices.DeleteFunc(slices.Clone(of), func(s string) bool { return slices.Contains(without, s) })
}

func texts(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), sql, args...)
	require.NoError(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return found
}

func (c *cluster) pool(database string) *pgxpool.Pool {
	c.Helper()
	pool, err := pgxpool.New(c.Context(), c.url(database))
	require.NoError(c, err)
	c.Cleanup(pool.Close)
	return pool
}

// burn gives so many numbers to transactions that do nothing.
func (c *cluster) burn(transactions int) {
	c.Helper()
	c.exec("postgres", fmt.Sprintf(`DO $$ BEGIN FOR i IN 1..%d LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`, transactions))
}
