package sim

import (
	"context"
	"sync"
	"sync/atomic"
)

// Options say which schedules to run.
type Options struct {
	From    uint64 // the first seed
	Seeds   uint64 // how many
	Workers int
	// Done is told of every [Stride] schedules that have been run; nil: nobody is.
	Done func(schedules uint64)
}

// Stride is how often progress is told of, in schedules.
const Stride = 100_000

// chunk is how many seeds a worker takes at a time.
const chunk = 500

// player plays one schedule after another.
type player interface {
	draws() *choices
	listen(*account) // nil: nobody wants to read it
	play() *Violation
	worth() int // how many schedules are tried to simplify one
}

func (w *world) draws() *choices    { return &w.choices }
func (w *world) listen(to *account) { w.told = to }
func (w *world) worth() int         { return 20_000 }

// Run plays the schedules of sagas of the seeds until all are done, one breaks an invariant or
// the context ends. The violation is shrunk.
func Run(ctx context.Context, o Options) (total Tally, first *Violation) {
	worlds, first := run(ctx, o, newWorld)
	for _, w := range worlds {
		total.add(w.tally)
	}
	return total, first
}

// RunInbox does the same with the schedules of a queue and its consumers.
func RunInbox(ctx context.Context, o Options) (total InboxTally, first *Violation) {
	worlds, first := run(ctx, o, newInboxWorld)
	for _, w := range worlds {
		total.add(w.tally)
	}
	return total, first
}

func newWorld() *world           { return &world{tally: &Tally{}} }
func newInboxWorld() *inboxWorld { return &inboxWorld{tally: &InboxTally{}} }

// run returns the players too, which have counted.
func run[P player](ctx context.Context, o Options, fresh func() P) (players []P, first *Violation) {
	var (
		mu     sync.Mutex
		taken  atomic.Uint64
		worker sync.WaitGroup
	)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for range o.Workers {
		worker.Go(func() {
			p := fresh()
			for ctx.Err() == nil {
				from := taken.Add(chunk) - chunk
				if from >= o.Seeds {
					break
				}
				if v := playSeeds(p, o.From+from, min(chunk, o.Seeds-from)); v != nil {
					stop()
					mu.Lock()
					if first == nil || v.Seed < first.Seed {
						first = v
					}
					mu.Unlock()
				}
				if done := from + chunk; o.Done != nil && done%Stride == 0 {
					o.Done(done)
				}
			}
			mu.Lock()
			players = append(players, p)
			mu.Unlock()
		})
	}
	worker.Wait()
	if first != nil {
		shrunk(fresh(), first)
	}
	return players, first
}

func playSeeds(p player, from, n uint64) *Violation {
	for seed := from; seed < from+n; seed++ {
		p.draws().seeded(seed)
		if v := p.play(); v != nil {
			v.Seed = seed
			return v
		}
	}
	return nil
}

// shrunk finds the simplest conversation that breaks what the seed breaks.
func shrunk(p player, v *Violation) {
	c := p.draws()
	c.recording = true
	c.seeded(v.Seed)
	s := shrinker{player: p, invariant: v.Invariant}
	if p.play() != nil {
		s.best = append(s.best, c.taken...)
	}
	c.recording = false
	s.shrink()
	v.Script = s.best
	c.scripted(s.best)
	if again := p.play(); again != nil {
		v.Detail, v.relay = again.Detail, again.relay
	}
	c.scripted(s.best)
	told := &account{}
	if v.relay >= 0 {
		told.relays[v.relay] = true
	}
	p.listen(told)
	_ = p.play() // the same again
	v.Conversation = told.text.String()
}

// Tell plays one seed and returns what happened, word for word.
func Tell(seed uint64) (string, *Violation) { return tell(newWorld(), seed) }

// TellInbox does the same for a queue.
func TellInbox(seed uint64) (string, *Violation) { return tell(newInboxWorld(), seed) }

func tell(p player, seed uint64) (string, *Violation) {
	told := &account{relays: [maxServices]bool{true, true, true}}
	p.listen(told)
	p.draws().seeded(seed)
	v := p.play()
	return told.text.String(), v
}

// Play plays the schedule of sagas of the decisions that are given.
func Play(script []byte) *Violation { return playScript(newWorld(), script) }

// PlayInbox plays that of a queue.
func PlayInbox(script []byte) *Violation { return playScript(newInboxWorld(), script) }

func playScript(p player, script []byte) *Violation {
	told := &account{}
	p.listen(told)
	p.draws().scripted(script)
	v := p.play()
	if v != nil {
		v.Script, v.Conversation = script, told.text.String()
	}
	return v
}
