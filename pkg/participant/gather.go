package participant

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"go.example/saga/pkg/protocol"
)

// gathering lets commands by HTTP that come at the same time share a transaction, as those of
// the broker do. While a transaction is under way, those that come wait for the next one; but when
// the first of them has waited for patient, for something is slow, another transaction begins beside
// it. Its methods are safe for concurrent use. Nothing runs while nothing is asked.
type gathering struct {
	p *Participant

	mu      sync.Mutex
	waiting []*asked
	runners int
	timer   *time.Timer
}

// asked is a request that waits for its answer.
type asked struct {
	ctx   context.Context // the request's, without its end: others may share what is begun for it
	cmd   Command
	since time.Time
	done  chan answered // has room for one
	// alone: it failed together with others, and shares no transaction any more. One that has
	// outrun the budget of a shared one does neither.
	alone bool
}

type answered struct {
	reply protocol.Reply
	err   error
}

const patient = 20 * time.Millisecond

// ask carries a command out. Where ctx ends first, it is carried out all the same, or not.
func (g *gathering) ask(ctx context.Context, cmd Command) (protocol.Reply, error) {
	a := &asked{ctx: context.WithoutCancel(ctx), cmd: cmd, since: time.Now(), done: make(chan answered, 1)}
	g.add(a)
	select {
	case got := <-a.done:
		return got.reply, got.err
	case <-ctx.Done():
		return protocol.Reply{}, ctx.Err()
	}
}

func (g *gathering) add(list ...*asked) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, list...)
	g.staff()
}

// staff begins another transaction where none is under way or the first has waited for long,
// and else looks again when that will be so. It is called under the lock.
func (g *gathering) staff() {
	if len(g.waiting) == 0 || g.runners >= g.most() {
		return
	}
	wait := patient - time.Since(g.waiting[0].since)
	if g.runners == 0 || wait <= 0 {
		g.runners++
		go g.run()
		return
	}
	if g.timer == nil {
		g.timer = time.AfterFunc(wait, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.timer = nil
			g.staff()
		})
	}
}

// most is how many transactions there are side by side: one connection is left for others.
func (g *gathering) most() int { return max(int(g.p.cfg.DB.Config().MaxConns)-1, 1) }

// run makes one transaction after the other until nobody waits.
func (g *gathering) run() {
	for {
		g.mu.Lock()
		list := g.next()
		if len(list) == 0 {
			g.runners--
			g.mu.Unlock()
			return
		}
		g.staff()
		g.mu.Unlock()
		g.carryOut(list)
	}
}

// next takes what goes into one transaction. It is called under the lock.
func (g *gathering) next() []*asked {
	n := min(len(g.waiting), g.p.cfg.MaxBatch)
	for i, a := range g.waiting[:n] {
		if a.alone || g.p.pace.note(a.cmd.Key()).alone { // it was too slow for others before
			n = max(i, 1)
			break
		}
	}
	list := slices.Clone(g.waiting[:n])
	clear(g.waiting[:n])
	g.waiting = g.waiting[n:]
	return list
}

// carryOut answers each of the list, or puts it back where its time was up or something fails.
func (g *gathering) carryOut(list []*asked) {
	if len(list) > 1 {
		tasks, err := g.p.together(list)
		if err == nil {
			for i, t := range tasks {
				if t.off {
					g.add(list[i])
					continue
				}
				reply, err := t.replied()
				list[i].done <- answered{reply, err}
			}
			return
		}
		g.p.log.Info("commands by HTTP fail together, and are tried one by one", zap.Int("commands", len(list)), zap.Error(err))
		for _, a := range list {
			a.alone = true
		}
		g.add(list...)
		return
	}
	reply, err := g.p.answer(list[0].ctx, list[0].cmd)
	list[0].done <- answered{reply, err}
}

// together carries the commands out in one transaction. The tasks are in the order of the list.
func (p *Participant) together(list []*asked) ([]*task, error) {
	ctx, cancel := context.WithTimeout(list[0].ctx, p.cfg.Limit)
	defer cancel()
	tx, err := p.cfg.DB.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after the commit
	tasks := make([]*task, len(list))
	for i, a := range list {
		tasks[i] = &task{cmd: a.cmd, index: i}
	}
	// Two instances come to the rows of a saga in the same order.
	ordered := slices.Clone(tasks)
	slices.SortStableFunc(ordered, func(a, b *task) int { return bytes.Compare(a.cmd.SagaID[:], b.cmd.SagaID[:]) })
	b := batch{Participant: p, tx: tx, queue: &pgx.Batch{}, begun: time.Now()}
	todo, err := b.sift(ordered)
	if err != nil {
		return nil, err
	}
	for _, round := range rounds(todo) {
		if err := b.perform(ctx, round); err != nil {
			return nil, err
		}
	}
	if b.queue.Len() > 0 {
		if err := b.send(ctx); err != nil {
			return nil, err
		}
	}
	return tasks, tx.Commit(ctx)
}
