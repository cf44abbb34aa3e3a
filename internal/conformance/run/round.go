package run

import (
	"context"
	"fmt"
	"time"

	"go.example/saga/internal/conformance"
	"go.example/saga/pkg/protocol"
)

// attempt is one that follows an answer "retry".
type attempt struct {
	at    time.Time
	pause time.Duration
}

// round sends commands together and waits for what has to come. silent says that not all of
// it came in time.
func (r *Runner) round(ctx context.Context, sent []*conformance.Sent, restart bool) (silent bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, s := range sent {
		if err := r.send(ctx, s); err != nil {
			return false, err
		}
	}
	began, told := time.Now(), time.Now()
	due := map[*conformance.Sent]attempt{} // by the first attempt
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var restarted chan error // nil until the command runs
	for {
		if restart && answered(sent) {
			restart, restarted = false, make(chan error, 1)
			go func() { restarted <- r.Restart(ctx) }()
		}
		waits := r.waits(sent)
		if waits == 0 && !restart && restarted == nil {
			return false, nil
		}
		select {
		case e := <-r.Carrier.Heard():
			r.hear(e)
		case err := <-restarted:
			if err != nil {
				return false, fmt.Errorf("--restart: %w", err)
			}
			restarted, began = nil, time.Now()
		case now := <-look.C:
			if restarted == nil && now.Sub(began) >= r.Timeout {
				return true, nil
			}
			if err := r.again(ctx, sent, due, now); err != nil {
				return false, err
			}
			if now.Sub(told) >= tellEvery {
				r.Progress(fmt.Sprintf("%s: waits for %d answers, %.0f s of %s", r.what, waits, now.Sub(began).Seconds(), r.Timeout))
				told = now
			}
		case <-r.Carrier.Done():
			return false, r.Carrier.Err()
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

func (r *Runner) send(ctx context.Context, s *conformance.Sent) error {
	r.all = append(r.all, s)
	return r.Carrier.Carry(ctx, s)
}

// hear finds out which command was answered.
func (r *Runner) hear(e Event) {
	if e.Reply == nil {
		e.To.Trouble, e.To.Over = e.Trouble, e.To.Over || e.Over
		return
	}
	s := e.To
	if s == nil {
		s = conformance.Find(r.all, *e.Reply)
	}
	if s == nil {
		r.strays = append(r.strays, fmt.Sprintf("a message that answers nothing: message_id %q, %s %q, %s %q", e.Reply.MessageID,
			protocol.HeaderSagaID, e.Reply.Headers[protocol.HeaderSagaID], protocol.HeaderSagaKey, e.Reply.Headers[protocol.HeaderSagaKey]))
		return
	}
	s.Answers = append(s.Answers, s.Read(*e.Reply))
}

// waits counts the answers that are still to come.
func (r *Runner) waits(sent []*conformance.Sent) (n int) {
	for _, s := range sent {
		if s.Flaw == nil {
			n += s.Waits()
		} else if r.Carrier.Direct() && len(s.Answers) == 0 && !s.Over {
			n++
		}
	}
	return n
}

// again sends another attempt of what was answered "retry", after a pause, as the
// orchestrator does.
func (r *Runner) again(ctx context.Context, sent []*conformance.Sent, due map[*conformance.Sent]attempt, now time.Time) error {
	for _, s := range sent {
		last, n := s, 0
		for ; last.Again != nil; n++ {
			last = last.Again
		}
		if !last.AsksAgain() {
			continue
		}
		a, known := due[s]
		if !known {
			a = attempt{pause: firstAgain}
		}
		if a.at.IsZero() {
			a.at = now.Add(a.pause)
			due[s] = a
			continue
		}
		if now.Before(a.at) {
			continue
		}
		due[s] = attempt{pause: min(2*a.pause, longestAgain)}
		c := s.Command
		c.Attempt, c.Copies = s.Attempt*1000+n+1, 1 // those of the check are small
		next, err := r.prepare(s.Saga, c)
		if err != nil {
			return err
		}
		last.Again = next
		if err := r.send(ctx, next); err != nil {
			return err
		}
	}
	return nil
}

func answered(sent []*conformance.Sent) bool {
	for _, s := range sent {
		if len(s.Answers) > 0 {
			return true
		}
	}
	return false
}
