package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
	"go.example/saga/pkg/outbox/outboxpg"
)

// drawn is a log whose servers restart and are replaced by standbys, also by ones that lack
// the last commits, between acts that are drawn. Its tenure outlives its connections, as
// behind a pooler. What is read counts as published.
type drawn struct {
	*testing.T
	random  *rand.Rand
	primary *cluster
	port    atomic.Pointer[string]
	db      *pgxpool.Pool
	tenure  *outboxpg.Tenure
	from    outboxpg.Position
	open    []pgx.Tx
	// published are rows by id and event id: an id may be given again after a promotion.
	published map[string]bool
	story     []string
	broken    error
}

var errDrawn = errors.New("the property does not hold")

func newDrawn(t *testing.T, seed uint64, sabotage string) *drawn {
	t.Helper()
	d := &drawn{T: t, random: rand.New(rand.NewPCG(seed, 2)), primary: newCluster(t), published: map[string]bool{}}
	d.primary.start()
	d.primary.install()
	if sabotage != "" {
		d.primary.exec(clusterDatabase, sabotage)
	}
	d.port.Store(&d.primary.port)
	config, err := pgxpool.ParseConfig(d.primary.url(clusterDatabase))
	require.NoError(t, err)
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		_, err := fmt.Sscan(*d.port.Load(), &c.Port)
		return err
	}
	d.db, err = pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(d.db.Close)
	return d
}

// play has servers fail so many times, with drawn acts in between, and then reads to the end.
func (d *drawn) play(failures int) error {
	d.Helper()
	acts := []struct {
		name string
		do   func()
	}{
		{"insert", d.insert},
		{"insert", d.insert},
		{"read", d.read},
		{"read", d.read},
		{"read", d.read},
		{"begin", d.begin},
		{"commit", d.commit},
		{"crash", func() { d.tenure = nil }},
	}
	servers := []struct {
		name string
		do   func()
	}{
		{"restart", d.restart}, {"promote", func() { d.promote(false) }}, {"promote without the tail", func() { d.promote(true) }},
	}
	for range failures {
		for range 12 {
			act := acts[d.random.IntN(len(acts))]
			d.story = append(d.story, act.name)
			act.do()
			d.checkShown()
		}
		failure := servers[d.random.IntN(len(servers))]
		d.story = append(d.story, failure.name)
		failure.do()
		d.checkShown()
		if d.broken != nil {
			return d.broken
		}
	}
	d.rest()
	return d.broken
}

func (d *drawn) failf(format string, args ...any) {
	if d.broken == nil {
		d.broken = fmt.Errorf("%w: %s; after %v", errDrawn, fmt.Sprintf(format, args...), d.story)
	}
}

// row brings the number of another time now and then, which the log does not take over.
func (d *drawn) row() string {
	number := "DEFAULT"
	if d.random.IntN(3) == 0 {
		number = "'4'"
	}
	return fmt.Sprintf(`INSERT INTO public.outbox (xact, aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		VALUES (%s, 'thing', 'k%d', 'drawn', '', 'queue', '{}')`, number, d.random.IntN(4))
}

// insert needs a log in service: what comes with a number before is taken for a dump's row.
func (d *drawn) insert() {
	d.hold()
	_, err := d.db.Exec(d.Context(), d.row())
	require.NoError(d, err)
}

func (d *drawn) begin() {
	if d.hold(); len(d.open) == 2 {
		return
	}
	tx, err := d.db.Begin(d.Context())
	require.NoError(d, err)
	_, err = tx.Exec(d.Context(), d.row())
	require.NoError(d, err)
	d.open = append(d.open, tx)
}

func (d *drawn) commit() {
	if len(d.open) > 0 {
		require.NoError(d, d.open[0].Commit(d.Context()))
		d.open = d.open[1:]
	}
}

func (d *drawn) hold() {
	d.Helper()
	if d.tenure != nil {
		return
	}
	log := outboxpg.New(d.db, "")
	tenure, err := log.Acquire(d.Context(), 0, "relay", time.Minute)
	if errors.Is(err, outboxpg.ErrForeign) {
		for len(d.open) > 0 { // it waits for them
			d.commit()
		}
		_, err = log.Rebase(d.Context())
		require.NoError(d, err)
		tenure, err = log.Acquire(d.Context(), 0, "relay", time.Minute)
	}
	require.NoError(d, err)
	d.tenure, d.from = tenure, tenure.Position()
}

// read publishes a page and saves, or crashes in between.
func (d *drawn) read() {
	d.hold()
	page, err := d.tenure.Read(d.Context(), d.from, 1+d.random.IntN(20))
	if err != nil {
		require.ErrorIs(d, err, outboxpg.ErrMoved)
		d.tenure = nil
		return
	}
	for _, r := range page.Records {
		d.published[fmt.Sprint(r.Position, " ", r.ID)] = true
	}
	if d.random.IntN(8) == 0 {
		d.tenure = nil
		return
	}
	if _, err := d.tenure.Save(d.Context(), outboxpg.Progress{Position: page.End()}); err != nil {
		require.ErrorIs(d, err, outboxpg.ErrMoved)
		d.tenure = nil
		return
	}
	d.from = page.End()
}

// restart is a crash of the server.
func (d *drawn) restart() {
	d.lose()
	d.primary.end(syscall.SIGQUIT)
	d.primary.start()
}

// promote replaces the server by a standby. Without the tail, what is committed and read
// after the standby was cut off is lost, and the numbers are given again.
func (d *drawn) promote(withoutTail bool) {
	d.Helper()
	standby := d.primary.standby()
	standby.awaitReplay(d.primary)
	if withoutTail {
		standby.exec("postgres", `ALTER SYSTEM SET primary_conninfo = ''`)
		standby.exec("postgres", `SELECT pg_reload_conf()`)
		require.Eventually(d, func() bool { return stacktest.Count(d.T, d.db, `SELECT count(*) FROM pg_stat_replication`) == 0 },
			patience, 10*time.Millisecond)
		for range 5 {
			d.primary.burn(d.random.IntN(20))
			d.insert()
			d.read()
		}
	}
	d.lose()
	d.primary.end(syscall.SIGKILL)
	standby.exec("postgres", `SELECT pg_promote()`)
	d.primary = standby
	d.port.Store(&standby.port)
	for range 3 { // new ones under the numbers of the lost ones
		_, err := d.db.Exec(d.Context(), d.row())
		require.NoError(d, err)
		standby.burn(d.random.IntN(20))
	}
}

// lose is what the end of a server does to its sessions.
func (d *drawn) lose() {
	for _, tx := range d.open {
		_ = tx.Conn().Close(d.Context())
		_ = tx.Rollback(d.Context())
	}
	d.open = nil
	d.db.Reset()
}

func (d *drawn) rest() {
	d.Helper()
	for len(d.open) > 0 {
		d.commit()
	}
	pending := `SELECT count(*) FROM public.outbox_overview WHERE state <> 'published'`
	for deadline := time.Now().Add(patience); stacktest.Count(d.T, d.db, pending) > 0; {
		d.read()
		if time.Now().After(deadline) {
			d.failf("the relay does not come to the end")
			return
		}
	}
	d.checkShown()
}

// checkShown: nothing is shown as published that was not.
func (d *drawn) checkShown() {
	d.Helper()
	for _, key := range texts(d.T, d.db, `SELECT id || ' ' || event_id FROM public.outbox_overview WHERE state = 'published'`) {
		if !d.published[key] {
			d.failf("row %s is shown as published", key)
		}
	}
}

// Each row that is committed and kept is published, and none is shown as published that was
// not, whatever becomes of the servers in between.
func TestWhatIsCommittedIsPublishedByWhicheverServer(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		require.NoError(t, newDrawn(t, seed, "").play(4), "seed %d", seed)
	}
}

// The property finds out that the position is not compared with the present.
func TestAPositionThatIsTrustedIsFoundOut(t *testing.T) {
	t.Parallel()
	const trusts = `CREATE OR REPLACE FUNCTION public.outbox_expect(present text, seen pg_snapshot) RETURNS boolean
		LANGUAGE sql AS 'SELECT true'`
	for seed := range uint64(10) {
		if err := newDrawn(t, seed, trusts).play(4); err != nil {
			require.ErrorIs(t, err, errDrawn)
			return
		}
	}
	t.Fatal("nothing was found")
}
