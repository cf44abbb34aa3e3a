package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"go.example/saga/pkg/httpcall"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/desk"
	"go.example/saga/pkg/outbox/relay"
	"go.example/saga/pkg/protocol"
	sagasql "go.example/saga/sql"
)

const (
	// callTime bounds a call, and lookTime what is asked of the database for it.
	callTime, lookTime = 15 * time.Second, 5 * time.Second
	// atOnce is how many calls there are at a time, for all webhooks of a database.
	atOnce = 64
	// waiting is how many more may wait for their turn.
	waiting = 512
)

// Caller calls the webhooks of one database. It is safe for concurrent use.
type Caller struct {
	db     *pgxpool.Pool
	schema string
	client *http.Client
	log    *zap.Logger
	turns  chan struct{} // one for each call under way
	inside chan struct{} // one for each call under way or waiting
	now    func() time.Time
}

// NewCaller makes the caller of the webhooks in a schema, empty for public. It connects to
// nothing.
func NewCaller(db *pgxpool.Pool, schema string, targets httpcall.Targets, log *zap.Logger) *Caller {
	return &Caller{
		db: db, schema: schema, client: targets.Client(callTime, atOnce), log: log,
		turns: make(chan struct{}, atOnce), inside: make(chan struct{}, atOnce+waiting), now: time.Now,
	}
}

// Close closes the connections that nobody uses.
func (c *Caller) Close() { c.client.CloseIdleConnections() }

// Carries implements [relay.Caller].
func (c *Caller) Carries(r *outbox.Record) bool { return r.Exchange == protocol.ExchangeWebhook }

// Begin implements [relay.Caller].
func (c *Caller) Begin(r *outbox.Record, before relay.Before) (func(context.Context) relay.Called, relay.Called) {
	select {
	case c.inside <- struct{}{}:
	default:
		return nil, relay.Called{Uncalled: desk.Uncalled{Later: time.Second + time.Duration(rand.Int64N(int64(time.Second)))}} // #nosec G404 -- no secret
	}
	return func(ctx context.Context) relay.Called {
		defer func() { <-c.inside }()
		select {
		case c.turns <- struct{}{}:
		case <-ctx.Done():
			return relay.Called{}
		}
		defer func() { <-c.turns }()
		return c.call(ctx, r, before.Attempts)
	}, relay.Called{}
}

// outcome is what a call brought.
type outcome struct {
	status int // 0: no response
	pause  time.Duration
	err    error
}

func (c *Caller) call(ctx context.Context, r *outbox.Record, failures int) relay.Called {
	target, err := c.target(ctx, r.RoutingKey)
	var refused *refusedError
	switch {
	case errors.As(err, &refused):
		return relay.Called{Uncalled: desk.Uncalled{Reason: desk.Refused, Error: err.Error(), Failed: true, Own: true, Over: true}}
	case err != nil: // the database's own trouble, which is no failure of the receiver
		return relay.Called{Uncalled: desk.Uncalled{Reason: desk.Unreachable, Error: err.Error(), Later: time.Second}}
	}
	began := c.now()
	got := c.post(ctx, target, r)
	if got.err != nil && ctx.Err() != nil {
		return relay.Called{}
	}
	took := c.now().Sub(began)
	if got.status == http.StatusGone {
		c.gone(ctx, r.RoutingKey)
		refused := fmt.Errorf("webhook %s is disabled: the receiver answered 410 Gone", r.RoutingKey)
		c.write(ctx, r, failures+1, took, outcome{status: got.status, err: refused})
		return relay.Called{Uncalled: desk.Uncalled{Reason: desk.Refused, Error: refused.Error(), Failed: true, Own: true, Over: true}}
	}
	c.write(ctx, r, failures+1, took, got)
	if got.err == nil {
		return relay.Called{Done: true}
	}
	later, over := next(failures+1, got.pause, rand.Float64()) // #nosec G404 -- no secret
	reason := desk.Unanswered
	if got.status == 0 {
		reason = desk.Unreachable
	}
	return relay.Called{Uncalled: desk.Uncalled{Reason: reason, Error: got.err.Error(), Failed: true, Own: true, Over: over, Later: later}}
}

// target is where a webhook is called, and the keys that sign.
type target struct {
	url  string
	keys []string
}

// refusedError: there is nobody to call.
type refusedError struct{ why string }

func (e *refusedError) Error() string { return e.why }

func (c *Caller) target(ctx context.Context, name string) (target, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	var t target
	var key string
	var former, disabled *string
	err := c.db.QueryRow(ctx, sagasql.Query(c.schema, "saga/webhook_target.sql"), name).Scan(&t.url, &key, &former, &disabled)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return t, &refusedError{fmt.Sprintf("there is no webhook %s: add it with `orchestrator webhook add`, then `orchestrator webhook retry`", name)}
	case err != nil:
		return t, fmt.Errorf("look webhook %s up: %w", name, err)
	case disabled != nil:
		return t, &refusedError{fmt.Sprintf("webhook %s is disabled: %s", name, *disabled)}
	}
	t.keys = []string{key}
	if former != nil {
		t.keys = append(t.keys, *former)
	}
	return t, nil
}

// post makes the call.
func (c *Caller) post(ctx context.Context, t target, r *outbox.Record) outcome {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(r.Payload))
	if err != nil {
		return outcome{err: err}
	}
	now := c.now()
	signature, err := sign(t.keys, r.ID.String(), now, r.Payload)
	if err != nil {
		return outcome{err: err}
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "saga-webhook", "webhook-id": r.ID.String(),
		"webhook-timestamp": strconv.FormatInt(now.Unix(), 10), "webhook-signature": signature,
	} {
		req.Header.Set(name, value)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return outcome{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	const enough = 64 << 10
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, enough)) // so that the connection can be used again
	got := outcome{status: resp.StatusCode, pause: protocol.RetryAfter(resp, now)}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		got.err = fmt.Errorf("the receiver answered %s", strings.TrimSpace(resp.Status))
	}
	return got
}

// write writes a call down. That it cannot be is no reason to call again.
func (c *Caller) write(ctx context.Context, r *outbox.Record, attempt int, took time.Duration, got outcome) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTime)
	defer cancel()
	why := ""
	if got.err != nil {
		why = got.err.Error()
	}
	_, err := c.db.Exec(ctx, sagasql.Query(c.schema, "saga/webhook_called.sql"),
		r.RoutingKey, r.ID, r.Type, attempt, max(took.Milliseconds(), 0), got.status, why, got.err == nil)
	if err != nil {
		c.log.Warn("the call of a webhook could not be written down", zap.String("webhook", r.RoutingKey), zap.Stringer("event", r.ID), zap.Error(err))
	}
}

// gone disables a webhook whose receiver wants no more.
func (c *Caller) gone(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTime)
	defer cancel()
	if _, err := c.db.Exec(ctx, sagasql.Query(c.schema, "saga/webhook_disable.sql"), name, "the receiver answered 410 Gone"); err != nil {
		c.log.Warn("a webhook whose receiver is gone could not be disabled", zap.String("webhook", name), zap.Error(err))
		return
	}
	c.log.Warn("a webhook is disabled: its receiver answered 410 Gone", zap.String("webhook", name))
}
