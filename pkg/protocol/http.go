package protocol

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/saga"
)

// By HTTP a command is a POST and its reply the response. The application headers of AMQP
// are headers of CloudEvents' HTTP binding in binary mode there: "cloudEvents_sagaid" is
// "ce-sagaid".

const (
	amqpPrefix = "cloudEvents_"
	httpPrefix = "ce-"
	headerID   = httpPrefix + "id"
	headerType = httpPrefix + "type"
	// headerKey is that of draft-ietf-httpapi-idempotency-key-header: a string of RFC 9651.
	headerKey = "Idempotency-Key"
	// problemOutcome is the member of a problem that says that the participant has decided.
	problemOutcome = "outcome"
)

// traceHeaders are those of W3C Trace Context, which go along as they are.
var traceHeaders = []string{"traceparent", "tracestate"}

// CommandOf reads the command in a row of the outbox, with for how long its attempt may
// stay unanswered; zero where that is not said.
func CommandOf(r *outbox.Record) (Command, time.Duration, error) {
	cmd, err := DecodeCommand(inbox.Delivery{
		MessageID: r.ID.String(), CorrelationID: r.CorrelationID, Type: r.Type, ReplyTo: r.ReplyTo, ContentType: r.ContentType,
		Exchange: r.Exchange, RoutingKey: r.RoutingKey, Headers: r.Headers, Body: r.Payload,
	})
	if err != nil {
		return Command{}, 0, err
	}
	text := r.Headers[HeaderSagaTimeout]
	if text == "" {
		return cmd, 0, nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds > 0 && seconds <= saga.MaxWait.Seconds()) {
		return Command{}, 0, bad(HeaderSagaTimeout, "is %q, want seconds", text)
	}
	return cmd, time.Duration(seconds * float64(time.Second)), nil
}

// HTTPRequest is the POST that carries the command in a row of the outbox. It asks for the
// row's routing key.
func HTTPRequest(ctx context.Context, r *outbox.Record, source string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.RoutingKey, bytes.NewReader(r.Payload))
	if err != nil {
		return nil, err
	}
	h := req.Header
	h.Set("Content-Type", r.ContentType)
	h.Set("Accept", typeJSON+", "+typeProblem)
	h.Set(headerKey, strconv.Quote(r.Headers[HeaderSagaKey]))
	h.Set(headerID, r.ID.String())
	h.Set(headerType, r.Type)
	h.Set(httpPrefix+"specversion", "1.0")
	h.Set(httpPrefix+"source", source)
	for name, value := range r.Headers {
		if attribute, ok := strings.CutPrefix(name, amqpPrefix); ok {
			h.Set(httpPrefix+attribute, value)
		}
	}
	for _, name := range traceHeaders {
		if value := r.Headers[name]; value != "" {
			h.Set(name, value)
		}
	}
	return req, nil
}

// DecodeHTTPCommand reads the command that a request carries. The error is a
// [*DecodeError].
func DecodeHTTPCommand(req *http.Request) (Command, error) {
	body, err := io.ReadAll(io.LimitReader(req.Body, MaxBody+1))
	if err != nil {
		return Command{}, bad("body", "cannot be read: %s", err)
	}
	d := inbox.Delivery{
		MessageID: req.Header.Get(headerID), Type: req.Header.Get(headerType), ContentType: req.Header.Get("Content-Type"),
		ContentEncoding: req.Header.Get("Content-Encoding"), Headers: map[string]string{}, Body: body,
		ReplyTo: "http", // the response
	}
	for name := range req.Header {
		if attribute, ok := strings.CutPrefix(strings.ToLower(name), httpPrefix); ok {
			d.Headers[amqpPrefix+attribute] = req.Header.Get(name)
		}
	}
	cmd, err := DecodeCommand(d)
	if err != nil {
		return Command{}, err
	}
	if key := req.Header.Get(headerKey); key != "" && strings.Trim(key, `"`) != cmd.Key() {
		return Command{}, bad(headerKey, "is %q, but the other headers say %q", key, cmd.Key())
	}
	return cmd, nil
}

// WriteHTTPReply answers the request that carried cmd. It fails where the outcome does not
// answer the command's operation, the output is not JSON, or the client is gone.
func WriteHTTPReply(w http.ResponseWriter, cmd Command, reply Reply) error {
	m, err := ReplyMessage(cmd, reply)
	if err != nil {
		return err
	}
	status, body := http.StatusOK, m.Payload
	switch reply.Outcome {
	case saga.OutcomeFailed:
		status = http.StatusUnprocessableEntity
	case saga.OutcomeRetry:
		status = http.StatusServiceUnavailable
	default:
		return writeHTTP(w, status, m, body)
	}
	p := tellable(reply.Problem)
	body, err = json.Marshal(struct {
		saga.Problem
		Status  int          `json:"status"`
		Outcome saga.Outcome `json:"outcome"`
	}{p, status, reply.Outcome})
	if err != nil {
		return fmt.Errorf("encode the answer to %s: %w", cmd.Key(), err)
	}
	return writeHTTP(w, status, m, body)
}

func writeHTTP(w http.ResponseWriter, status int, m outbox.Message, body []byte) error {
	w.Header().Set("Content-Type", m.ContentType)
	w.Header().Set(headerID, m.ID.String())
	w.Header().Set(httpPrefix+"sagaoutcome", m.Headers[HeaderSagaOutcome])
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}

// What a response says that is no reply.
var (
	// ErrNotYet: the receiver has the command, and has not carried it out yet.
	ErrNotYet = errors.New("not yet carried out")
	// ErrBusy: the receiver takes nothing at present.
	ErrBusy = errors.New("takes nothing at present")
	// ErrRefusesCall: the receiver refuses the call as such, so that nothing was carried out.
	ErrRefusesCall = errors.New("refuses the call")
	// ErrUnclear: whether the command was carried out is unknown.
	ErrUnclear = errors.New("whether it was carried out is unknown")
)

// ReadHTTPReply reads the reply to cmd out of a response with that body. Where it holds
// none, the error is one of [ErrNotYet], [ErrBusy], [ErrRefusesCall] and [ErrUnclear].
func ReadHTTPReply(cmd Command, resp *http.Response, body []byte) (outbox.Message, error) {
	status := resp.StatusCode
	switch {
	case status == http.StatusAccepted, status == http.StatusTooEarly:
		return outbox.Message{}, fmt.Errorf("%w: %s", ErrNotYet, resp.Status)
	case status >= 200 && status < 300:
		return readSuccess(cmd, resp, body)
	case status >= 300 && status < 400:
		return outbox.Message{}, fmt.Errorf("%w: %s, and redirects are not followed", ErrRefusesCall, resp.Status)
	case status >= 400:
		if m, decided, err := readProblem(cmd, resp, body); decided {
			return m, err
		}
	}
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return outbox.Message{}, fmt.Errorf("%w: %s", ErrBusy, resp.Status)
	case status == http.StatusConflict, status == http.StatusUnprocessableEntity, status == http.StatusRequestTimeout, status >= 500:
		return outbox.Message{}, fmt.Errorf("%w: %s", ErrUnclear, resp.Status)
	}
	return outbox.Message{}, fmt.Errorf("%w: %s", ErrRefusesCall, resp.Status)
}

func readSuccess(cmd Command, resp *http.Response, body []byte) (outbox.Message, error) {
	reply := Reply{Outcome: saga.OutcomeSucceeded, Output: jsonmap.JSONMap{}}
	// Whatever the operation: a page for people is of something that stands before the participant.
	if len(bytes.TrimSpace(body)) > 0 {
		r := reader{d: inbox.Delivery{ContentType: resp.Header.Get("Content-Type"), Body: body}}
		if reply.Output = r.body(); r.err != nil {
			return outbox.Message{}, fmt.Errorf("%w: %s with no JSON object: %w", ErrUnclear, resp.Status, r.err)
		}
	}
	switch cmd.Operation {
	case saga.Confirm:
		reply.Outcome = saga.OutcomeConfirmed
	case saga.Cancel:
		reply.Outcome = saga.OutcomeCompensated
	case saga.Request:
	}
	m, err := ReplyMessage(cmd, reply)
	if err != nil {
		return outbox.Message{}, fmt.Errorf("%w: %w", ErrUnclear, err)
	}
	return m, nil
}

// readProblem reads a decision; decided is false where the problem says none.
func readProblem(cmd Command, resp *http.Response, body []byte) (m outbox.Message, decided bool, err error) {
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || media != typeProblem {
		return outbox.Message{}, false, nil
	}
	object, err := jsonmap.Parse(body)
	if err != nil {
		return outbox.Message{}, false, nil
	}
	said, _ := object[problemOutcome].(string)
	outcome := saga.Outcome(said)
	refusal := resp.StatusCode == http.StatusConflict || resp.StatusCode == http.StatusUnprocessableEntity
	if outcome != saga.OutcomeRetry && (outcome != saga.OutcomeFailed || !refusal) || !outcome.Answers(cmd.Operation) {
		return outbox.Message{}, false, nil
	}
	m, err = ReplyMessage(cmd, Reply{Outcome: outcome, Problem: problem(object)})
	return m, true, err
}

// RetryAfter is how long a response asks to wait; zero where it does not.
func RetryAfter(resp *http.Response, now time.Time) time.Duration {
	text := resp.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second // #nosec G115 -- 31 bits
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
