package relay

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/desk"
)

// Caller carries messages by a call to their receiver, and not by the broker. Its methods
// are safe for concurrent use.
type Caller interface {
	// Carries says whether the message goes by a call.
	Carries(r *outbox.Record) bool
	// Begin makes room for a call, without waiting. Where there is no room, or no call is to
	// be made, call is nil and instead says what to do. A call that was given is made once.
	Begin(r *outbox.Record, before Before) (call func(context.Context) Called, instead Called)
}

// Before is what came of the calls of a message so far.
type Before struct {
	// Accepted is for how long the receiver has had the message, negative where it has not.
	Accepted time.Duration
	// Attempts are the calls that failed.
	Attempts int
}

// Callers are one caller for the messages of all of them.
type Callers []Caller

// Carries implements [Caller].
func (c Callers) Carries(r *outbox.Record) bool {
	return slices.ContainsFunc(c, func(one Caller) bool { return one.Carries(r) })
}

// Begin implements [Caller].
func (c Callers) Begin(r *outbox.Record, before Before) (func(context.Context) Called, Called) {
	i := slices.IndexFunc(c, func(one Caller) bool { return one.Carries(r) })
	return c[i].Begin(r, before) // the engine has asked Carries
}

// Called is how a call ended: with an answer to publish, done without one, or neither.
type Called struct {
	Answer *outbox.Record
	Done   bool
	desk.Uncalled
}

// slowCall is when a call is slow: its message is set aside, so that the log need not wait.
const slowCall = time.Second

// calls are the calls of a stream. Its methods belong to the stream's loop.
type calls struct {
	s     *stream
	ends  mailbox[callEnd]
	begun []callBegun // not yet found slow, oldest first
	slow  *time.Timer // when to look for slow ones
	// ctx ends with the stream: an answer could not be published. The message is called again.
	ctx     context.Context
	abort   context.CancelFunc
	running sync.WaitGroup
}

type callBegun struct {
	entry *entry
	at    time.Time
}

type callEnd struct {
	entry  *entry
	called Called
}

func newCalls(s *stream) *calls {
	c := &calls{s: s, ends: mailbox[callEnd]{arrived: make(chan struct{}, 1)}, slow: time.NewTimer(slowCall)}
	c.ctx, c.abort = context.WithCancel(s.front)
	return c
}

// begin begins the calls that there is room for.
func (c *calls) begin() {
	for c.s.front.Err() == nil {
		e := c.s.desk.NextCall()
		if e == nil {
			return
		}
		if err := e.Record.Unreadable; err != nil {
			c.take(callEnd{e, Called{Uncalled: desk.Uncalled{Reason: desk.Unreadable, Error: err.Error(), Failed: true}}})
			continue
		}
		call, instead := c.s.cfg.Caller.Begin(e.Record, Before{e.Accepted(), e.Attempts()})
		if call == nil {
			c.take(callEnd{e, instead})
			continue
		}
		c.begun = append(c.begun, callBegun{e, time.Now()})
		c.running.Go(func() {
			span := startSpan(c.ctx, e.Record)
			called := call(c.ctx)
			span.end(called.err())
			c.ends.add(callEnd{e, called})
		})
	}
}

// takeAll hears how calls ended.
func (c *calls) takeAll() {
	for _, end := range c.ends.collect() {
		if c.ctx.Err() == nil || end.called.Done {
			c.take(end)
		}
	}
}

func (c *calls) take(end callEnd) {
	switch called := end.called; {
	case called.Answer != nil:
		c.s.desk.Answered(end.entry, called.Answer)
	case called.Done:
		c.s.desk.Called(end.entry)
	default:
		c.s.desk.Uncalled(end.entry, called.Uncalled)
		if called.Failed {
			c.s.board.refusal(end.entry.Record, called.Reason, called.err())
		}
	}
}

// setAside sets the messages aside whose calls are slow, or all when the log waits for them.
func (c *calls) setAside(all bool) {
	for len(c.begun) > 0 && (all || time.Since(c.begun[0].at) >= slowCall) {
		c.s.desk.Defer(c.begun[0].entry)
		c.begun[0] = callBegun{}
		c.begun = c.begun[1:]
	}
	pause := slowCall
	if len(c.begun) > 0 {
		pause = time.Until(c.begun[0].at.Add(slowCall))
	}
	c.slow.Reset(pause)
}

// end breaks the calls off, and waits for them.
func (c *calls) end() {
	c.abort()
	c.slow.Stop()
	c.running.Wait()
	c.takeAll()
}

// err is why there is no answer.
func (c Called) err() error {
	if c.Reason == "" {
		return nil
	}
	return fmt.Errorf("%s: %s", c.Reason, c.Error)
}
