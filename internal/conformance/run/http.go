package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"go.example/saga/internal/conformance"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

const (
	// perHost is how many calls there are at a time.
	perHost = 16
	// callTimeout bounds one of them, as the relay does.
	callTimeout = 10 * time.Second
	// shortPause and longPause are between calls of one command; the receiver may ask for more,
	// and gets that much at most.
	shortPause, longPause = 100 * time.Millisecond, 5 * time.Second
)

// HTTP carries by POST, as a relay does: what is no reply is asked for again.
type HTTP struct {
	url    string
	client *http.Client
	events chan Event
	places chan struct{}
	calls  sync.WaitGroup
}

// NewHTTP connects to nothing.
func NewHTTP(url string) *HTTP {
	return &HTTP{
		url: url, events: make(chan Event), places: make(chan struct{}, perHost),
		client: &http.Client{
			Timeout:       callTimeout,
			Transport:     &http.Transport{MaxIdleConnsPerHost: perHost, DisableCompression: true, ForceAttemptHTTP2: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Carry implements [Carrier].
func (h *HTTP) Carry(ctx context.Context, s *conformance.Sent) error {
	for range s.Copies {
		h.calls.Go(func() { h.carry(ctx, s) })
	}
	return nil
}

// Heard implements [Carrier].
func (h *HTTP) Heard() <-chan Event { return h.events }

// Done implements [Carrier].
func (h *HTTP) Done() <-chan struct{} { return nil }

// Err implements [Carrier].
func (h *HTTP) Err() error { return nil }

// Direct implements [Carrier].
func (h *HTTP) Direct() bool { return true }

// Close waits for the calls, whose context has ended.
func (h *HTTP) Close() {
	h.calls.Wait()
	h.client.CloseIdleConnections()
}

// carry calls until there is a reply.
func (h *HTTP) carry(ctx context.Context, s *conformance.Sent) {
	for pause := shortPause; ; pause = min(2*pause, longPause) {
		e, later := h.call(ctx, s)
		if ctx.Err() != nil {
			return
		}
		select {
		case h.events <- e:
		case <-ctx.Done():
			return
		}
		if e.Over || e.Reply != nil {
			return
		}
		select {
		case <-time.After(min(max(pause, later), longPause)):
		case <-ctx.Done():
			return
		}
	}
}

func (h *HTTP) call(ctx context.Context, s *conformance.Sent) (e Event, later time.Duration) {
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	case <-ctx.Done():
		return Event{}, 0
	}
	e.To = s
	trouble := func(err error, over bool) (Event, time.Duration) {
		e.Trouble, e.Over = err.Error(), over || s.Flaw != nil
		return e, later
	}
	req, err := h.request(ctx, s.Message)
	if err != nil {
		return trouble(err, true)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return trouble(err, false)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, protocol.MaxBody+1))
	if err != nil {
		return trouble(fmt.Errorf("the response ends early: %w", err), false)
	}
	later = protocol.RetryAfter(resp, time.Now())
	if s.Flaw != nil {
		if resp.StatusCode >= 200 && resp.StatusCode < 300 && resp.StatusCode != http.StatusAccepted {
			e.Reply = &inbox.Delivery{Headers: map[string]string{protocol.HeaderSagaOutcome: string(saga.OutcomeSucceeded)}, Body: body}
			return e, later
		}
		return trouble(errors.New(resp.Status), true)
	}
	cmd, err := protocol.DecodeCommand(s.Message)
	if err != nil {
		return trouble(err, true)
	}
	reply, err := protocol.ReadHTTPReply(cmd, resp, body)
	if err != nil {
		return trouble(err, errors.Is(err, protocol.ErrRefusesCall))
	}
	e.Reply = &inbox.Delivery{
		MessageID: reply.ID.String(), CorrelationID: reply.CorrelationID, ContentType: reply.ContentType, Headers: reply.Headers, Body: reply.Payload,
	}
	return e, later
}

// request is the relay's, with the message's flaw.
func (h *HTTP) request(ctx context.Context, m inbox.Delivery) (*http.Request, error) {
	id, _ := uuid.Parse(m.MessageID) // what else it may be is set below
	req, err := protocol.HTTPRequest(ctx, &outbox.Record{Message: outbox.Message{
		ID: id, Type: m.Type, ContentType: m.ContentType, RoutingKey: h.url, Headers: m.Headers, Payload: m.Body,
	}}, m.Headers["cloudEvents_source"])
	if err != nil {
		return nil, err
	}
	req.Header.Set("ce-id", m.MessageID)
	if m.MessageID == "" {
		req.Header.Del("ce-id")
	}
	if m.Headers[protocol.HeaderSagaKey] == "" {
		req.Header.Del("Idempotency-Key")
	}
	if m.ContentEncoding != "" {
		req.Header.Set("Content-Encoding", m.ContentEncoding)
	}
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(m.Body)), nil }
	return req, nil
}
