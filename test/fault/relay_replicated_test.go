package fault

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
	sagasql "go.example/saga/sql"
)

// The outbox is replicated into databases of another cluster: one whose log no relay serves
// yet, and one that is in service. Whatever arrives is published there, though the origin has
// published it, and appends go on.
func TestAReplicatedLogIsPublished(t *testing.T) {
	t.Parallel()
	origin, to := newCluster(t), newCluster(t)
	origin.start()
	origin.install()
	to.start()
	to.burn(5000) // so that the origin's numbers are of the past there
	from := &road{T: t, db: origin.pool(clusterDatabase)}
	from.commit("copied")
	require.Len(t, takeAll(t, from.db), burst)
	origin.exec(clusterDatabase, `CREATE PUBLICATION log FOR TABLE public.outbox WITH (publish = 'insert', publish_via_partition_root = true)`)

	replicas := map[string]*road{"waits": nil, "serves": nil}
	for name := range replicas {
		to.exec("postgres", `CREATE DATABASE `+name)
		require.NoError(t, sagasql.Up(t.Context(), to.url(name), "", sagasql.Outbox))
		replicas[name] = &road{T: t, db: to.pool(name)}
	}
	require.Empty(t, takeAll(t, replicas["serves"].db), "it is in service now")
	for name, r := range replicas {
		to.exec(name, fmt.Sprintf(`CREATE SUBSCRIPTION %s CONNECTION '%s' PUBLICATION log`, name, origin.url(clusterDatabase)))
		r.awaitRows(burst)
	}
	from.commit("streamed")
	require.Len(t, takeAll(t, from.db), burst)
	for _, r := range replicas {
		r.awaitRows(2 * burst)
		require.Equal(t, []string{"copied pending", "streamed pending"}, r.states())
	}
	const numbers = `SELECT string_agg(xact::text, ' ' ORDER BY id) FROM public.outbox`
	require.Equal(t, texts(t, from.db, numbers), texts(t, replicas["waits"].db, numbers))
	require.NotEqual(t, texts(t, from.db, numbers), texts(t, replicas["serves"].db, numbers))

	for name, r := range replicas {
		require.Len(t, takeAll(t, r.db), 2*burst, name)
	}
	from.commit("late")
	for name, r := range replicas {
		r.awaitRows(3 * burst)
		require.Equal(t, []string{"copied published", "late pending", "streamed published"}, r.states())
		to.exec(name, `ALTER SUBSCRIPTION `+name+` DISABLE`) // its ids would collide with those that are drawn here
		to.exec(name, `SELECT public.outbox_sequence_mend()`)
		r.commit("own")
		require.Len(t, takeAll(t, r.db), 2*burst, name)
		require.Equal(t, []string{"copied published", "late published", "own published", "streamed published"}, r.states())
	}
}

func (r *road) awaitRows(n int) {
	r.Helper()
	require.Eventually(r, func() bool { return stacktest.Count(r.T, r.db, `SELECT count(*) FROM public.outbox`) == n },
		patience, 10*time.Millisecond, "%d rows have arrived", n)
}
