package outboxpg

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	sagasql "go.example/saga/sql"
)

// play is a log that all kinds of writers, operators and administrators have to do with, and
// a relay that reads it under a role of its own. What the relay reads counts as published, or
// is refused. rapid would need a database for each of its many attempts; here a seed is one.
type play struct {
	*bundle
	random *rand.Rand
	role   string
	log    *Log // as the role
	tenure *Tenure
	from   Position
	open   []pgx.Tx
	// published and discarded are rows by their id and event id.
	published, discarded map[string]bool
	story                []string
	broken               error
}

var errProperty = errors.New("the property does not hold")

func newPlay(t *testing.T, seed uint64, sabotage string) *play {
	t.Helper()
	pool := testenv.Database(t, sagasql.Outbox)
	b := &bundle{T: t, ctx: t.Context(), pool: pool, log: New(pool, "")}
	if sabotage != "" {
		b.exec(sabotage)
	}
	role, as := testenv.Login(t, pool)
	p := &play{
		bundle: b, random: rand.New(rand.NewPCG(seed, 1)), role: role, log: New(as, ""),
		published: map[string]bool{}, discarded: map[string]bool{},
	}
	b.heal(p.log, TaskPublish)
	return p
}

// run plays so many acts and then lets everything come to rest. The error is errProperty.
func (p *play) run(acts int) error {
	p.Helper()
	for range acts {
		act := storyboard[p.random.IntN(len(storyboard))]
		p.story = append(p.story, act.name)
		act.do(p)
		p.checkShown()
		if p.broken != nil {
			return p.broken
		}
	}
	p.rest()
	return p.broken
}

func (p *play) failf(format string, args ...any) {
	if p.broken == nil {
		p.broken = fmt.Errorf("%w: %s; after %v", errProperty, fmt.Sprintf(format, args...), p.story)
	}
}

// storyboard are the acts; those that come twice come more often.
var storyboard = []struct {
	name string
	do   func(*play)
}{
	{"insert", (*play).plain},
	{"insert", (*play).plain},
	{"insert with a number", (*play).bring},
	{"insert as a replica", (*play).replica},
	{"begin", (*play).begins},
	{"begin", (*play).begins},
	{"commit", (*play).ends},
	{"commit", (*play).ends},
	{"copy", (*play).copies},
	{"insert again", (*play).again},
	{"without triggers", (*play).withoutTriggers},
	{"truncate", (*play).truncates},
	{"read", (*play).reads},
	{"read", (*play).reads},
	{"read", (*play).reads},
	{"read", (*play).reads},
	{"due", (*play).due},
	{"due", (*play).due},
	{"crash", (*play).crashes},
	{"discard", (*play).discards},
	{"policy", (*play).policy},
	{"revoke", (*play).revokes},
	{"restore", (*play).restores},
}

const rowOf = `INSERT INTO public.outbox (%s aggregate_type, aggregate_id, type, exchange, routing_key, payload)
	SELECT %s 'test', 'k%d', 'm', '', 'queue', '{}' FROM generate_series(1, %d)`

func (p *play) rows(column, value string) string {
	return fmt.Sprintf(rowOf, column, value, p.random.IntN(4), 1+p.random.IntN(3))
}

// try runs a statement that may be refused, and says whether it was done.
func (p *play) try(sql string) bool {
	p.Helper()
	_, err := p.pool.Exec(p.ctx, sql)
	var refused *pgconn.PgError
	if err != nil {
		require.ErrorAs(p, err, &refused, sql)
	}
	return err == nil
}

// append must work; upkeep, which every relay does, may have to set the sequence before.
func (p *play) append(sql string) {
	p.Helper()
	if p.try(sql) {
		return
	}
	_, err := p.bundle.log.MendSequence(p.ctx)
	require.NoError(p, err)
	if _, err := p.pool.Exec(p.ctx, sql); err != nil {
		p.failf("an append fails: %v", err)
	}
}

func (p *play) plain() { p.append(p.rows("", "")) }

func (p *play) bring() {
	names := []string{"its own", "none", "past", "future", "last"}
	if !p.inService() {
		names = names[:2] // with another number it is one of the dump's then
	}
	p.append(p.rows("xact,", numbers[names[p.random.IntN(len(names))]]+","))
}

func (p *play) replica() {
	number := numbers["past"]
	if !p.inService() {
		number = numbers["none"]
	}
	p.append(`SET session_replication_role = replica; ` + p.rows("xact,", number+",") + `; RESET session_replication_role`)
	p.try(`RESET session_replication_role`)
}

// begins leaves a transaction open, with a savepoint that may be rolled back.
func (p *play) begins() {
	if len(p.open) == 3 {
		return
	}
	tx, err := p.pool.Begin(p.ctx)
	require.NoError(p, err)
	for _, sql := range []string{p.rows("", ""), `SAVEPOINT a`, p.rows("", "")} {
		if _, err := tx.Exec(p.ctx, sql); err != nil {
			_ = tx.Rollback(p.ctx)
			_, err := p.bundle.log.MendSequence(p.ctx)
			require.NoError(p, err)
			return
		}
	}
	if p.random.IntN(3) == 0 {
		_, err = tx.Exec(p.ctx, `ROLLBACK TO a`)
		require.NoError(p, err)
	}
	p.open = append(p.open, tx)
}

func (p *play) ends() {
	if len(p.open) == 0 {
		return
	}
	tx := p.open[0]
	p.open = p.open[1:]
	if p.random.IntN(4) == 0 {
		require.NoError(p, tx.Rollback(p.ctx))
		return
	}
	require.NoError(p, tx.Commit(p.ctx))
}

// settle ends what is open, where an act would wait for it.
func (p *play) settle() {
	for len(p.open) > 0 {
		p.ends()
	}
}

// copies inserts rows that are there once more, under ids of their own or drawn ones.
func (p *play) copies() {
	if !p.inService() {
		return // then a copy is a part of the dump, and as published as what it was copied from
	}
	const columns = `xact, event_id, aggregate_type, aggregate_id, type, exchange, routing_key, payload`
	if p.random.IntN(2) == 0 {
		p.append(`INSERT INTO public.outbox (` + columns + `) SELECT ` + columns + ` FROM public.outbox ORDER BY id LIMIT 3`)
		return
	}
	p.settle() // as it would wait for their ids
	p.try(`INSERT INTO public.outbox (id, ` + columns + `) OVERRIDING SYSTEM VALUE
		SELECT (SELECT max(id) FROM public.outbox) + row_number() OVER (), ` + columns + ` FROM public.outbox ORDER BY id LIMIT 3`)
}

func (p *play) inService() bool { return value[bool](p.bundle, `SELECT public.outbox_in_service()`) }

// again deletes rows and inserts them as they were: messages that are to be published anew.
func (p *play) again() {
	var keys []string
	require.NoError(p, p.pool.QueryRow(p.ctx, `WITH c AS (DELETE FROM public.outbox WHERE id IN (SELECT o.id FROM public.outbox AS o
			WHERE NOT EXISTS (SELECT FROM public.outbox_parked AS k WHERE k.id = o.id) ORDER BY id LIMIT 2) RETURNING *)
		SELECT coalesce(array_agg(id || ' ' || event_id), '{}') FROM c`).Scan(&keys))
	for _, key := range keys {
		delete(p.published, key)
		var id int64
		var event string
		_, err := fmt.Sscan(key, &id, &event)
		require.NoError(p, err)
		number := "4"
		if !p.inService() {
			number = "0"
		}
		p.try(fmt.Sprintf(`INSERT INTO public.outbox (id, xact, event_id, aggregate_type, aggregate_id, type, exchange, routing_key, payload)
			OVERRIDING SYSTEM VALUE VALUES (%d, '%s', '%s', 'test', 'k1', 'm', '', 'queue', '{}')`, id, number, event))
	}
}

func (p *play) withoutTriggers() {
	p.settle()
	p.exec(`ALTER TABLE public.outbox DISABLE TRIGGER ALL`)
	p.try(p.rows("", ""))
	if p.inService() {
		p.try(p.rows("xact,", numbers["past"]+","))
	}
	p.try(p.rows("xact,", numbers["its own"]+","))
	p.exec(`ALTER TABLE public.outbox ENABLE ALWAYS TRIGGER outbox_checked; ALTER TABLE public.outbox ENABLE ALWAYS TRIGGER outbox_truncated`)
}

func (p *play) truncates() {
	p.settle()
	keys := p.keys(`SELECT id || ' ' || event_id FROM public.outbox`)
	if !p.try(`TRUNCATE public.outbox RESTART IDENTITY`) {
		return
	}
	for _, key := range keys {
		if !p.published[key] && !p.discarded[key] {
			p.failf("row %s was truncated unpublished", key)
		}
	}
}

func (p *play) keys(sql string) []string {
	p.Helper()
	rows, err := p.pool.Query(p.ctx, sql)
	require.NoError(p, err)
	keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(p, err)
	return keys
}

func (p *play) crashes() { p.tenure = nil }

// hold takes the lease where there is none; it may be refused.
func (p *play) hold() bool {
	if p.tenure != nil {
		return true
	}
	tenure, err := p.log.Acquire(p.ctx, 0, "relay", time.Minute)
	if errors.Is(err, ErrForeign) {
		p.settle() // as it waits for them
		_, err = p.log.Rebase(p.ctx)
		require.NoError(p, err)
		return false
	}
	if err != nil {
		return false
	}
	p.tenure, p.from = tenure, tenure.Position()
	return true
}

// reads publishes a page, or refuses some of it, and saves or crashes before.
func (p *play) reads() {
	if !p.hold() {
		return
	}
	page, err := p.tenure.Read(p.ctx, p.from, 1+p.random.IntN(20))
	if err != nil {
		p.tenure = nil
		return
	}
	progress := Progress{Position: page.End()}
	for _, r := range page.Records {
		if p.random.IntN(8) == 0 {
			progress.Parked = append(progress.Parked, Parking{Record: r, State: Retry, Reason: "nacked", Error: "no", Attempts: 1})
			progress.Touched = append(progress.Touched, r.AggregateID)
			continue
		}
		p.published[key(r)] = true
	}
	p.save(progress)
}

func (p *play) save(progress Progress) {
	slices.Sort(progress.Touched)
	progress.Touched = slices.Compact(progress.Touched)
	if p.random.IntN(8) == 0 {
		p.tenure = nil // a crash before the save
		return
	}
	if _, err := p.tenure.Save(p.ctx, progress); err != nil {
		p.tenure = nil
		return
	}
	p.from = progress.Position
}

func (p *play) due() {
	if !p.hold() {
		return
	}
	found, err := p.tenure.Due(p.ctx, 20, []int64{})
	if err != nil {
		p.tenure = nil
		return
	}
	progress := Progress{Position: p.from}
	for _, d := range found {
		p.published[key(d.Record)] = true
		progress.Unparked = append(progress.Unparked, d.Record)
		progress.Touched = append(progress.Touched, d.Record.AggregateID)
	}
	p.save(progress)
}

func key(r *outbox.Record) string { return fmt.Sprint(r.Position, " ", r.ID) }

func (p *play) discards() {
	const parked = `SELECT id || ' ' || event_id FROM public.outbox_parked WHERE state = 'discarded'`
	_, err := p.bundle.log.DiscardParked(p.ctx, ParkedFilter{AggregateID: new(fmt.Sprint("k", p.random.IntN(4)))}, "a test", quiet)
	require.NoError(p, err)
	for _, key := range p.keys(parked) {
		p.discarded[key] = true
	}
}

// policy hides everything from the relay for a while.
func (p *play) policy() {
	p.settle()
	p.exec(`ALTER TABLE public.outbox ENABLE ROW LEVEL SECURITY`)
	for range 3 {
		p.reads()
	}
	p.settle()
	p.exec(`ALTER TABLE public.outbox DISABLE ROW LEVEL SECURITY`)
}

func (p *play) revokes() {
	p.exec(`REVOKE INSERT, DELETE ON public.outbox_parked FROM ` + p.role)
	for range 3 {
		p.reads()
		p.due()
	}
	p.exec(`GRANT INSERT, DELETE ON public.outbox_parked TO ` + p.role)
}

// restores moves the log to a cluster whose numbers are other ones. Transactions that are open
// write there afterwards, and others before the relay comes.
func (p *play) restores() {
	// One that was restored and not served since cannot be dumped: its position knows nothing of
	// the rows that were written in between.
	if !p.inService() {
		return
	}
	p.exec(`BEGIN; ` + restore + `; DROP TABLE o, p; DROP FUNCTION pg_temp.shift; COMMIT`)
	p.plain()
	p.tenure = nil
}

// checkShown: nothing is shown as published that was not.
func (p *play) checkShown() {
	p.Helper()
	for _, key := range p.keys(`SELECT id || ' ' || event_id FROM public.outbox_overview WHERE state = 'published'`) {
		if !p.published[key] {
			p.failf("row %s is shown as published", key)
		}
	}
}

// rest lets the relay come to the end: each row is published, or set aside where it is seen.
func (p *play) rest() {
	p.Helper()
	p.settle()
	deadline := time.Now().Add(patience)
	for quiet := 0; quiet < 3 && time.Now().Before(deadline); {
		before := len(p.published)
		p.reads()
		p.due()
		quiet++
		if len(p.published) != before || p.tenure == nil {
			quiet = 0
		}
	}
	p.checkShown()
	for _, key := range p.keys(`SELECT o.id || ' ' || o.event_id FROM public.outbox AS o
		WHERE NOT EXISTS (SELECT FROM public.outbox_parked AS k WHERE k.id = o.id AND k.event_id = o.event_id)`) {
		if !p.published[key] {
			p.failf("row %s was never published", key)
		}
	}
}

// Each row that is committed in a log in service is published at least once or visibly set
// aside, and nothing else is ever shown as published: whoever inserts, copies, restores,
// truncates, hides or crashes.
//
// PLAYS in the environment makes it a long run. The usual few have each act some twenty
// times, and one play finds each sabotage below.
func TestWhatIsCommittedIsPublished(t *testing.T) {
	t.Parallel()
	plays := uint64(6)
	if text := os.Getenv("PLAYS"); text != "" {
		var err error
		plays, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "PLAYS")
	}
	for seed := range plays {
		require.NoError(t, newPlay(t, seed, "").run(80), "seed %d", seed)
	}
}

// The property finds each of these out.
func TestWhatIsCommittedIsPublishedOnlyWithAllOfIt(t *testing.T) {
	t.Parallel()
	const edit = `DO $do$ BEGIN EXECUTE replace(pg_get_functiondef('public.%s'::regproc), $a$%s$a$, $b$%s$b$); END $do$`
	for name, sabotage := range map[string]string{
		"rows keep the numbers that they bring":   `CREATE OR REPLACE FUNCTION public.outbox_keeps_number(xact xid8) RETURNS boolean LANGUAGE sql AS 'SELECT true'`,
		"the trigger does not fire for replicas":  `ALTER TABLE public.outbox ENABLE TRIGGER outbox_checked; ALTER TABLE public.outbox DROP CONSTRAINT outbox_xact_is_stamped`,
		"no check beside the trigger":             `ALTER TABLE public.outbox DROP CONSTRAINT outbox_xact_is_stamped`,
		"readers take hidden rows for none":       `ALTER FUNCTION public.outbox_news RESET row_security; ALTER FUNCTION public.outbox_window RESET row_security; ALTER FUNCTION public.outbox_page RESET row_security`,
		"truncate is not guarded":                 `CREATE OR REPLACE FUNCTION public.outbox_truncate() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`,
		"a restored position counts for new rows": fmt.Sprintf(edit, "outbox_rebase", "OR NOT $4 AND o.xact NOT BETWEEN", "OR true OR o.xact NOT BETWEEN"),
		"the sequence is left behind":             `CREATE OR REPLACE FUNCTION public.outbox_sequence_mend() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint'`,
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				if err := newPlay(t, seed, sabotage).run(80); err != nil {
					require.ErrorIs(t, err, errProperty)
					return
				}
			}
			t.Fatal("nothing was found")
		})
	}
}
