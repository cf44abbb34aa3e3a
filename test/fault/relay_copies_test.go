package fault

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
	sagasql "go.example/saga/sql"
)

// Each way in which a log comes to another cluster. Some rows are published there, some are
// not; services write before a relay comes. What the dump counts as published stays so, where
// its position came along; everything else goes out, whatever the numbers of both clusters.
func TestRowsOfARestoredLogAndNewOnes(t *testing.T) {
	t.Parallel()
	from, to := newCluster(t), newCluster(t)
	from.start()
	from.install()
	from.burn(20_000) // its numbers are ahead of the other's
	r := from.reader(clusterDatabase)
	from.append(clusterDatabase, named("published", 5)...)
	r.acquire()
	r.drain()
	waiting := append(named("waiting", 5), "big", "big")
	from.append(clusterDatabase, waiting[:5]...)
	from.exec(clusterDatabase, appended("big")+`; `+appended("big")) // of one transaction
	to.start()
	ways := from.restores(to)
	for round, burnt := range []int{0, 40_000} {
		to.burn(burnt) // then they are behind
		for name, restore := range ways {
			database := strings.ReplaceAll(name, " ", "_") + strconv.Itoa(round)
			to.exec("postgres", `CREATE DATABASE `+database)
			restore(database)
			to.append(database, named("new", 3)...)
			to.exec(database, `BEGIN; SAVEPOINT a; `+appended("saved")+`; RELEASE SAVEPOINT a; `+appended("saved")+`; COMMIT`)
			copied := to.reader(database)
			copied.acquire()
			want := append(append(named("new", 3), waiting...), "saved", "saved")
			require.ElementsMatch(t, want, copied.drain(), database)
			require.Empty(t, copied.drain(), database)
			to.append(database, "later")
			require.Equal(t, []string{"later"}, copied.drain(), database)
		}
	}
}

// restores are the ways in which the log comes to a database of the other cluster.
func (c *cluster) restores(to *cluster) map[string]func(database string) {
	c.Helper()
	dump := func(name string, args ...string) string {
		file := filepath.Join(filepath.Dir(c.data), name)
		c.program("pg_dump", append(args, "--file="+file, c.url(clusterDatabase))...)
		return file
	}
	psql := func(file string) func(string) {
		return func(database string) {
			to.program("psql", "--quiet", "--set=ON_ERROR_STOP=1", "--file="+file, to.url(database))
		}
	}
	// A database that was migrated and that no relay has served: its own position gives way.
	intoMigrated := func(file string) func(string) {
		return func(database string) {
			require.NoError(c, sagasql.Up(c.Context(), to.url(database), "", sagasql.Outbox))
			to.exec(database, `DELETE FROM public.outbox_position`)
			psql(file)(database)
		}
	}
	const tables = "--table=public.outbox*"
	custom := dump("custom", "--format=custom")
	return map[string]func(string){
		"plain":                 psql(dump("plain.sql")),
		"parallel":              func(database string) { to.program("pg_restore", "--jobs=2", "--dbname="+to.url(database), custom) },
		"inserts":               psql(dump("inserts.sql", "--inserts")),
		"rows":                  intoMigrated(dump("rows.sql", "--data-only", tables)),
		"rows without triggers": intoMigrated(dump("disabled.sql", "--data-only", "--disable-triggers", tables)),
	}
}

// Logical replication copies the rows of a log, and goes on with those that come. The other
// log publishes them all: its own position knows of none, before it is served and while it is.
func TestRowsOfALogThatIsReplicated(t *testing.T) {
	t.Parallel()
	from, to := newCluster(t), newCluster(t)
	logical := from.command
	from.command = func() *exec.Cmd {
		cmd := logical()
		cmd.Args = append(cmd.Args, "-c", "wal_level=logical")
		return cmd
	}
	from.start()
	to.start()
	from.install()
	to.install()
	from.burn(20_000)
	from.append(clusterDatabase, named("copied", 3)...)
	from.exec(clusterDatabase, `CREATE PUBLICATION log FOR TABLE public.outbox WITH (publish_via_partition_root = true)`)
	to.exec(clusterDatabase, `CREATE SUBSCRIPTION log CONNECTION '`+from.url(clusterDatabase)+`' PUBLICATION log`)
	r := to.reader(clusterDatabase)
	arrive := func(rows int) {
		t.Helper()
		require.Eventually(t, func() bool {
			return stacktest.Count(t, r.db, `SELECT count(*) FROM public.outbox`) == rows
		}, patience, 20*time.Millisecond)
	}
	arrive(3)
	require.Zero(t, stacktest.Count(t, r.db, `SELECT count(*) FROM public.outbox_overview WHERE state = 'published'`))
	r.acquire()
	require.Equal(t, named("copied", 3), r.drain())
	from.append(clusterDatabase, named("streamed", 3)...)
	arrive(6)
	require.Equal(t, named("streamed", 3), r.drain())
	behind, err := r.log.MendSequence(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, behind, "those that came since the log was made whole")
	to.append(clusterDatabase, "own")
	require.Equal(t, []string{"own"}, r.drain())
}
