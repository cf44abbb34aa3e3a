package httpcall

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/desk"
	"go.example/saga/pkg/outbox/relay"
	"go.example/saga/pkg/protocol"
)

// Config says whom to call, and how.
type Config struct {
	Targets Targets
	// PerHost is how many calls there are to one host at a time; 0 means 64. Sixteen times
	// as many may wait here for their turn.
	PerHost int
	// Timeout is how long a call may take; 0 means 10 s.
	Timeout time.Duration
	// Called, where set, is told of each call that has ended: its target's origin, what it
	// brought (answered, or the class why not) and how long it took. It must not block.
	Called func(target, outcome string, took time.Duration)
}

const (
	// DefaultPerHost is that of [Config.PerHost].
	DefaultPerHost = 64
	// DefaultTimeout is that of [Config.Timeout].
	DefaultTimeout = 10 * time.Second

	// maxBytes bounds the commands in hand, with those that wait for their turn.
	maxBytes = 64 << 20
	// longestPause is the most that a receiver may ask to wait.
	longestPause = time.Hour
	// shortestPoll and longestPoll bound the pause before a receiver that has the command is
	// asked again.
	shortestPoll, longestPoll = time.Second, 30 * time.Second
)

// Caller calls participants. It is safe for concurrent use.
type Caller struct {
	cfg    Config
	client *http.Client
	bytes  atomic.Int64 // of the commands in hand

	mu    sync.Mutex
	hosts map[string]*host
}

// New makes a caller. It connects to nothing.
func New(cfg Config) *Caller {
	if cfg.PerHost <= 0 {
		cfg.PerHost = DefaultPerHost
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	return &Caller{cfg: cfg, hosts: map[string]*host{}, client: cfg.Targets.Client(cfg.Timeout, cfg.PerHost)}
}

// Close closes the connections that nobody uses.
func (c *Caller) Close() { c.client.CloseIdleConnections() }

// Carries implements [relay.Caller].
func (c *Caller) Carries(r *outbox.Record) bool { return r.Exchange == protocol.ExchangeHTTP }

// Begin implements [relay.Caller].
func (c *Caller) Begin(r *outbox.Record, before relay.Before) (func(context.Context) relay.Called, relay.Called) {
	accepted := before.Accepted
	cmd, timeout, err := protocol.CommandOf(r)
	if err != nil {
		return nil, failed(desk.Invalid, err, 0)
	}
	if accepted >= 0 && timeout > 0 && accepted > timeout {
		return nil, relay.Called{Done: true} // the saga has asked again by now, or given up
	}
	target, err := c.cfg.Targets.check(r.RoutingKey)
	if err != nil {
		return nil, failed(desk.Refused, err, 0)
	}
	if c.bytes.Add(int64(len(r.Payload))) > maxBytes {
		c.bytes.Add(-int64(len(r.Payload)))
		return nil, relay.Called{Uncalled: desk.Uncalled{Later: usualCall}}
	}
	h := c.host(target)
	use := lifetime(accepted, timeout)
	probe, no := h.enter(time.Now())
	if no != nil {
		c.bytes.Add(-int64(len(r.Payload)))
		return nil, no.called(target, use)
	}
	return func(ctx context.Context) relay.Called {
		defer c.bytes.Add(-int64(len(r.Payload)))
		if no := h.turn(ctx, probe); no != nil {
			return no.called(target, use)
		}
		began := time.Now()
		called := c.call(ctx, h, probe, r, cmd, max(accepted, 0))
		if called.Accepted && use == 0 {
			use = lifetime(0, timeout)
		}
		called.Until = use
		c.tell(target, called, time.Since(began))
		return called
	}, relay.Called{}
}

// tell counts a call, but for one that was broken off here.
func (c *Caller) tell(target string, called relay.Called, took time.Duration) {
	switch {
	case c.cfg.Called == nil:
	case called.Answer != nil:
		c.cfg.Called(target, "answered", took)
	case called.Reason != "":
		c.cfg.Called(target, called.Reason, took)
	}
}

// lifetime is for how long a message that its receiver has is of use: then its attempt is
// over, and the saga has asked again or given up. Zero for one that it has not.
func lifetime(accepted, timeout time.Duration) time.Duration {
	if accepted < 0 || timeout == 0 {
		return 0
	}
	return max(timeout-accepted, 0) + time.Millisecond
}

// called is what becomes of a message for which there is no call now.
func (no *refusal) called(target string, use time.Duration) relay.Called {
	u := desk.Uncalled{Later: no.wait, Until: use}
	if no.why != "" {
		u.Reason, u.Error = desk.Unreachable, target+" is left alone for a while: "+no.why
	}
	return relay.Called{Uncalled: u}
}

func (c *Caller) host(target string) *host {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hosts[target]
	if h == nil { // as many as there are targets
		h = newHost(c.cfg.PerHost)
		c.hosts[target] = h
	}
	return h
}

// call makes one call, and tells the host how it went.
func (c *Caller) call(ctx context.Context, h *host, probe bool, r *outbox.Record, cmd protocol.Command, accepted time.Duration) relay.Called {
	began := time.Now()
	answer, pause, sent, err := c.post(ctx, r, cmd)
	now := time.Now()
	if err != nil && ctx.Err() != nil {
		h.abandon(probe)
		return relay.Called{}
	}
	switch {
	case err == nil:
		h.leave(now.Sub(began), now, probe, "", 0)
		record := &outbox.Record{Message: answer, Position: r.Position, CreatedAt: r.CreatedAt, Service: r.Service}
		return relay.Called{Answer: record}
	case errors.Is(err, protocol.ErrNotYet):
		h.leave(now.Sub(began), now, probe, "", 0)
		if pause == 0 {
			pause = min(max(accepted/4, shortestPoll), longestPoll)
		}
		return relay.Called{Uncalled: desk.Uncalled{Later: pause, Accepted: true, Reason: desk.Unanswered, Error: err.Error()}}
	case errors.Is(err, errTooLarge):
		h.leave(now.Sub(began), now, probe, "", 0)
		return failed(desk.Invalid, err, 0)
	case errors.Is(err, protocol.ErrRefusesCall), errors.Is(err, errPrivate):
		h.leave(now.Sub(began), now, probe, "", 0) // it answers; it is this call that it does not want
		return failed(desk.Refused, err, pause)
	case errors.Is(err, protocol.ErrBusy):
		h.leave(now.Sub(began), now, probe, err.Error(), pause)
		return failed(desk.Unreachable, err, pause)
	}
	h.leave(now.Sub(began), now, probe, err.Error(), pause)
	if !sent {
		return failed(desk.Unreachable, err, pause)
	}
	unclear := failed(desk.Unanswered, err, pause)
	unclear.Accepted = true
	return unclear
}

func failed(reason string, err error, later time.Duration) relay.Called {
	return relay.Called{Uncalled: desk.Uncalled{Reason: reason, Error: err.Error(), Failed: true, Later: later}}
}

// errTooLarge: a body that no message can have.
var errTooLarge = fmt.Errorf("the response has more than %d bytes, which no reply can have", protocol.MaxBody)

// post makes the request and reads the response. sent says that the receiver may have the
// request.
func (c *Caller) post(ctx context.Context, r *outbox.Record, cmd protocol.Command) (answer outbox.Message, pause time.Duration, sent bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }})
	req, err := protocol.HTTPRequest(ctx, r, r.Service)
	if err != nil {
		return outbox.Message{}, 0, false, fmt.Errorf("%w: %w", protocol.ErrRefusesCall, err)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return outbox.Message{}, 0, wrote.Load(), err
	}
	defer func() { _ = resp.Body.Close() }()
	pause = min(protocol.RetryAfter(resp, time.Now()), longestPause)
	body, err := io.ReadAll(io.LimitReader(resp.Body, protocol.MaxBody+1))
	switch {
	case err != nil:
		return outbox.Message{}, pause, true, fmt.Errorf("the response ends early: %w", err)
	case len(body) > protocol.MaxBody:
		return outbox.Message{}, pause, true, errTooLarge
	}
	answer, err = protocol.ReadHTTPReply(cmd, resp, body)
	return answer, pause, true, err
}
