package sim_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/desk"
	"go.example/saga/pkg/outbox/outboxpg"
	sagasql "go.example/saga/sql"
	"go.example/saga/test/sim"
)

// TestTheTwinIsTheOutbox has two desks do the same, one with the twin of the outbox and
// one with PostgreSQL: transactions that commit out of order or are rolled back, pages,
// answers, saves, crashes, and an operator. Both read the same and know the same of
// what is parked.
func TestTheTwinIsTheOutbox(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	p := &pair{T: t, Rand: rand.New(rand.NewPCG(1, 2)), pool: pool, log: outboxpg.New(pool, ""), twin: sim.NewStore()}
	t.Cleanup(func() {
		for _, tx := range p.open {
			_ = tx.real.Rollback(context.WithoutCancel(t.Context()))
		}
	})
	p.restart()
	steps := []struct {
		often int
		do    func()
	}{
		{3, p.write}, {3, p.end}, {4, p.read}, {6, p.send}, {6, p.answer}, {4, p.save}, {3, p.takeDue}, {1, p.retry},
	}
	for range 2000 {
		n := p.IntN(30)
		for _, s := range steps {
			if n -= s.often; n < 0 {
				s.do()
				break
			}
		}
		if p.IntN(60) == 0 {
			p.restart()
		}
		p.twin.Pass()
		require.Nil(t, p.twin.Broken())
	}
	for _, what := range []string{"page", "gap", "retry", "waiting", "dead", "scheduled", "blocked", "due", "behind", "unparked", "recovered", "rolled back"} {
		require.NotZero(t, p.seen[what], "%s never came about: %v", what, p.seen)
	}
}

// pair is the twin and the database, each with a desk.
type pair struct {
	*testing.T
	*rand.Rand
	pool   *pgxpool.Pool
	log    *outboxpg.Log
	tenure *outboxpg.Tenure
	twin   *sim.Store
	open   []transaction

	desks    desks
	read1    sim.Position
	read2    outboxpg.Position
	inFlight []entries
	unsaved1 sim.Written
	unsaved2 desk.Written[*outbox.Record, outboxpg.Position]
	seen     map[string]int
}

type desks struct {
	twin *desk.Desk[int, sim.Position]
	real *desk.Desk[*outbox.Record, outboxpg.Position]
}

type entries struct {
	twin *desk.Entry[int, sim.Position]
	real *desk.Entry[*outbox.Record, outboxpg.Position]
}

type transaction struct {
	twin *sim.Draft
	real pgx.Tx
}

func (p *pair) saw(what string) {
	if p.seen == nil {
		p.seen = map[string]int{}
	}
	p.seen[what]++
}

// restart is a crash: new desks begin from what was saved.
func (p *pair) restart() {
	p.Helper()
	var err error
	p.tenure, err = p.log.Acquire(p.Context(), 0, "one", time.Minute)
	require.NoError(p, err)
	blocked, err := p.tenure.Blocked(p.Context())
	require.NoError(p, err)
	require.ElementsMatch(p, p.twin.Blocked(), blocked)
	limits := desk.Limits{Window: 6, InFlight: 4, Bytes: 100, Open: 8}
	policy := desk.Policy{RetryFor: 24 * time.Hour} // tried again at once
	if p.IntN(2) == 0 {
		policy.First, policy.Longest = time.Hour, time.Hour
	}
	half := func() float64 { return 0.5 }
	p.read1, p.read2 = p.twin.Position(), p.tenure.Position()
	p.desks = desks{
		desk.New[int](limits, policy, half, p.read1, blocked),
		desk.New[*outbox.Record](limits, policy, half, p.read2, blocked),
	}
	p.unsaved1, p.unsaved2 = sim.Written{Position: p.read1}, desk.Written[*outbox.Record, outboxpg.Position]{Position: p.read2}
	p.inFlight = nil
}

// write begins a transaction and writes some messages; it stays open.
func (p *pair) write() {
	p.Helper()
	if len(p.open) == 3 {
		return
	}
	real, err := p.pool.Begin(p.Context())
	require.NoError(p, err)
	tx := transaction{p.twin.Begin(), real}
	p.open = append(p.open, tx)
	for range 1 + p.IntN(3) {
		later := p.IntN(6) == 0
		m, ok := p.twin.Write(tx.twin, p.IntN(sim.Aggregates), p.IntN(2) == 0, later)
		if !ok {
			continue
		}
		var id int64
		err := tx.real.QueryRow(p.Context(), `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload, deliver_at)
			VALUES ('test', $1, 'm', $2, $3, '1', CASE WHEN $4 THEN now() + interval '1 hour' END) RETURNING id`,
			m.Aggregate, m.To.Exchange, m.To.RoutingKey, later).Scan(&id)
		require.NoError(p, err)
		require.Equal(p, m.ID, id)
	}
}

// end commits a transaction, mostly.
func (p *pair) end() {
	p.Helper()
	if len(p.open) == 0 {
		return
	}
	i := p.IntN(len(p.open))
	tx := p.open[i]
	p.open = slices.Delete(p.open, i, i+1)
	if p.IntN(5) == 0 {
		p.saw("rolled back")
		p.twin.RollBack(tx.twin)
		require.NoError(p, tx.real.Rollback(p.Context()))
		return
	}
	p.twin.Commit(tx.twin)
	require.NoError(p, tx.real.Commit(p.Context()))
}

func (p *pair) read() {
	p.Helper()
	if !p.desks.twin.WantsPage() {
		return
	}
	most := 1 + p.IntN(4)
	ids, after, end := p.twin.Read(p.read1, most)
	page, err := p.tenure.Read(p.Context(), p.read2, most)
	require.NoError(p, err)
	if len(page.Records) == 0 && len(ids) > 0 { // the window is over, and no row said so
		p.saw("gap")
		p.desks.real.AdmitGap(page.End())
		page, err = p.tenure.Read(p.Context(), page.End(), most)
		require.NoError(p, err)
	}
	require.Len(p, page.Records, len(ids))
	p.read1, p.read2 = end, page.End()
	if len(ids) == 0 {
		p.saw("gap")
		p.desks.twin.AdmitGap(end)
		p.desks.real.AdmitGap(page.End())
	}
	for i, r := range page.Records {
		p.saw("page")
		require.EqualValues(p, ids[i], r.Position)
		m := message(r)
		require.Equal(p, p.twin.Message(ids[i]), m)
		p.desks.twin.Admit(m, ids[i], after[i])
		p.desks.real.Admit(m, r, page.After(i))
	}
}

func message(r *outbox.Record) desk.Message {
	return desk.Message{
		ID: r.Position, Aggregate: r.AggregateID, To: desk.Destination{Exchange: r.Exchange, RoutingKey: r.RoutingKey},
		Size: 1, Scheduled: !r.DeliverAt.IsZero(),
	}
}

func (p *pair) send() {
	p.Helper()
	e := entries{p.desks.twin.Next(), p.desks.real.Next()}
	require.Equal(p, e.twin == nil, e.real == nil)
	if e.twin != nil {
		require.Equal(p, e.twin.ID, e.real.ID)
		p.inFlight = append(p.inFlight, e)
	}
}

func (p *pair) answer() {
	if len(p.inFlight) == 0 {
		return
	}
	i := p.IntN(len(p.inFlight))
	e := p.inFlight[i]
	p.inFlight = slices.Delete(p.inFlight, i, i+1)
	if p.IntN(3) > 0 {
		p.twin.Stored(int(e.twin.ID))
		p.desks.twin.Confirmed(e.twin)
		p.desks.real.Confirmed(e.real)
		return
	}
	reason := []string{desk.Unroutable, desk.Nacked, desk.Unroutable, desk.Invalid}[p.IntN(4)]
	p.desks.twin.Refused(e.twin, reason, "no")
	p.desks.real.Refused(e.real, reason, "no")
}

func (p *pair) save() {
	p.Helper()
	p.unsaved1.Add(p.desks.twin.Take())
	p.unsaved2.Add(p.desks.real.Take())
	require.Equal(p, p.unsaved1.Size(), p.unsaved2.Size())
	w := p.unsaved2
	progress := outboxpg.Progress{Position: w.Position, PublishedID: w.PublishedID, Recovered: w.Recovered, Touched: w.Touched()}
	for _, e := range w.Parked {
		p.saw(string(e.Parking().State))
		progress.Parked = append(progress.Parked, e.Parking())
	}
	for _, e := range w.Unparked {
		p.saw("unparked")
		progress.Unparked = append(progress.Unparked, e.Record)
	}
	if len(w.Recovered) > 0 {
		p.saw("recovered")
	}
	saved, err := p.tenure.Save(p.Context(), progress)
	require.NoError(p, err)
	require.ElementsMatch(p, p.twin.Save(&p.unsaved1), saved.Blocked)
	if len(saved.Blocked) > 0 {
		p.saw("blocked")
	}
	p.desks.twin.Saved(p.unsaved1, saved.Blocked)
	p.desks.real.Saved(p.unsaved2, saved.Blocked)
	p.unsaved1.Settle(p.unsaved1)
	p.unsaved2.Settle(w)
}

func (p *pair) takeDue() {
	p.Helper()
	if !p.desks.twin.WantsDue() {
		return
	}
	const heads = 64
	inWork := p.desks.twin.InWork()
	require.ElementsMatch(p, inWork, p.desks.real.InWork())
	twin, some1 := p.twin.Due(heads, inWork)
	real, err := p.tenure.Due(p.Context(), heads, inWork)
	require.NoError(p, err)
	_, some2, _, err := p.tenure.NextDue(p.Context(), inWork)
	require.NoError(p, err)
	require.Equal(p, some1, some2)
	require.Len(p, real, len(twin))
	// Those that became due in one statement may come in any order.
	slices.SortFunc(twin, func(a, b sim.Due) int { return a.Record - b.Record })
	slices.SortFunc(real, func(a, b outboxpg.Due) int { return int(a.Record.Position - b.Record.Position) })
	for i := range twin {
		one, other := twin[i], real[i]
		require.EqualValues(p, one.Record, other.Record.Position)
		require.Equal(p, one.State, other.State)
		require.Equal(p, one.Attempts, other.Attempts)
		require.Equal(p, one.Reason, other.Reason)
		p.saw("due")
		if one.State == desk.Waiting {
			p.saw("behind")
		}
		m := message(other.Record)
		one.Age, other.Age = 0, 0
		p.desks.twin.AdmitDue(m, one)
		p.desks.real.AdmitDue(m, other)
	}
}

// retry is an operator's, after which the desks begin anew.
func (p *pair) retry() {
	p.Helper()
	if p.IntN(3) > 0 {
		return
	}
	p.twin.Retry()
	_, err := p.pool.Exec(p.Context(),
		`SELECT public.outbox_parked_retry(ARRAY(SELECT id FROM public.outbox_parked WHERE state IN ('retry', 'dead')))`)
	require.NoError(p, err)
	p.restart()
}
