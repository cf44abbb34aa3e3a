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

// Run plays the schedules of the seeds until all are done, one breaks an invariant or
// the context ends. The violation is shrunk.
func Run(ctx context.Context, o Options) (Tally, *Violation) {
	var (
		mu     sync.Mutex
		total  Tally
		first  *Violation
		taken  atomic.Uint64
		worker sync.WaitGroup
	)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for range o.Workers {
		worker.Go(func() {
			w := &world{tally: &Tally{}}
			for ctx.Err() == nil {
				from := taken.Add(chunk) - chunk
				if from >= o.Seeds {
					break
				}
				if v := w.playSeeds(o.From+from, min(chunk, o.Seeds-from)); v != nil {
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
			total.add(w.tally)
			mu.Unlock()
		})
	}
	worker.Wait()
	if first != nil {
		shrunk(first)
	}
	return total, first
}

func (w *world) playSeeds(from, n uint64) *Violation {
	for seed := from; seed < from+n; seed++ {
		w.seeded(seed)
		if v := w.play(); v != nil {
			v.Seed = seed
			return v
		}
	}
	return nil
}

// shrunk finds the simplest conversation that breaks what the seed breaks.
func shrunk(v *Violation) {
	w := &world{tally: &Tally{}}
	w.recording = true
	w.seeded(v.Seed)
	s := shrinker{world: w, invariant: v.Invariant}
	if w.play() != nil {
		s.best = append(s.best, w.taken...)
	}
	w.recording = false
	s.shrink()
	v.Script = s.best
	w.scripted(s.best)
	if again := w.play(); again != nil {
		v.Detail, v.relay = again.Detail, again.relay
	}
	w.scripted(s.best)
	w.told = &account{}
	if v.relay >= 0 {
		w.told.relays[v.relay] = true
	}
	_ = w.play() // the same again
	v.Conversation = w.told.text.String()
}

// Tell plays one seed and returns what happened, word for word.
func Tell(seed uint64) (string, *Violation) {
	w := &world{tally: &Tally{}, told: &account{relays: [maxServices]bool{true, true, true}}}
	w.seeded(seed)
	v := w.play()
	return w.told.text.String(), v
}

// Play plays the schedule of the decisions that are given.
func Play(script []byte) *Violation {
	w := &world{tally: &Tally{}, told: &account{}}
	w.scripted(script)
	v := w.play()
	if v != nil {
		v.Script, v.Conversation = script, w.told.text.String()
	}
	return v
}
