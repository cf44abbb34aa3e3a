package conformance

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// desk is a participant that keeps everything in memory. It does what docs/protocol.md
// says, but for what it does wrong.
type desk struct {
	wrong string
	mu    sync.Mutex
	steps map[string]*decision
}

// decision is what the desk remembers of a step of a saga.
type decision struct {
	state  string
	answer protocol.Reply // to the REQUEST
}

// The kinds of wrong. The empty one is none.
const (
	forgetsAll        = "has no barrier"
	anotherOutput     = "answers another output on a repeat"
	anotherOutcome    = "refuses another attempt"
	cancelFirstFails  = "answers a CANCEL before its REQUEST with failed"
	runsLateRequests  = "leaves no mark of a CANCEL that came first"
	cancelsOnce       = "refuses the second CANCEL"
	forgetsRefusals   = "does not remember refusals"
	confirmsBlindly   = "confirms without a REQUEST"
	cancelsConfirmed  = "takes back what was confirmed"
	mixesSagas        = "takes all sagas for one"
	silentWhenUnknown = "says nothing of a step that it does not know"
	smallBodies       = "takes no body above 100 kB"
	diesOfBadMessages = "stops at a message that breaks a rule"
	carriesOutAnyway  = "answers a message that breaks a rule as done"
	wrongKey          = "replies with another key"
	newIDs            = "replies with another id each time"
	deaf              = "answers nothing"
	alwaysRetry       = "answers retry at first" // which is right
)

func newDesk(wrong string) *desk { return &desk{wrong: wrong, steps: map[string]*decision{}} }

// restart loses what is in memory.
func (d *desk) restart(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.steps)
	return nil
}

var (
	cancelled = saga.Problem{Type: "urn:problem:desk:cancelled", Title: "Cancelled before it came"}
	noWay     = saga.Problem{Type: "urn:problem:desk:no", Title: "No"}
)

func failed(p saga.Problem) protocol.Reply {
	return protocol.Reply{Outcome: saga.OutcomeFailed, Problem: p}
}

func done(outcome saga.Outcome) protocol.Reply { return protocol.Reply{Outcome: outcome} }

// decide is the table of the barrier. silent says that nothing is answered.
func (d *desk) decide(cmd protocol.Command) (reply protocol.Reply, silent bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := uuid.UUID(cmd.SagaID).String() + cmd.Step
	if d.wrong == mixesSagas {
		key = cmd.Step
	}
	s := d.steps[key]
	if s == nil || d.wrong == forgetsAll && cmd.Operation != saga.Confirm {
		s = &decision{}
		d.steps[key] = s
	}
	if d.wrong == deaf || d.wrong == silentWhenUnknown && cmd.Step != "work" {
		return reply, true
	}
	if d.wrong == alwaysRetry && cmd.Attempt < 1000 && cmd.Operation != saga.Confirm {
		return protocol.Reply{Outcome: saga.OutcomeRetry, Problem: noWay}, false
	}
	switch cmd.Operation {
	case saga.Request:
		return d.request(s, cmd), false
	case saga.Confirm:
		return d.confirm(s), false
	case saga.Cancel:
	}
	return d.cancel(s), false
}

func (d *desk) request(s *decision, cmd protocol.Command) protocol.Reply {
	_, refuse := cmd.Payload["refuse"]
	switch {
	case s.state == "cancelled":
		return failed(cancelled)
	case s.state != "" && d.wrong == anotherOutput:
		return protocol.Reply{Outcome: saga.OutcomeSucceeded, Output: jsonmap.JSONMap{"receipt": uuid.NewString()}}
	case s.state != "" && d.wrong == anotherOutcome && cmd.Attempt > 1:
		return failed(noWay)
	case s.state == "failed" && d.wrong == forgetsRefusals && cmd.Step == "work":
		s.state, s.answer = "succeeded", protocol.Reply{Outcome: saga.OutcomeSucceeded}
		return s.answer
	case s.state != "":
		return s.answer
	case refuse, cmd.Step != "work":
		s.state, s.answer = "failed", failed(noWay)
		return s.answer
	}
	s.state = "succeeded"
	s.answer = protocol.Reply{Outcome: saga.OutcomeSucceeded, Output: jsonmap.JSONMap{"receipt": uuid.NewString()}}
	return s.answer
}

func (d *desk) confirm(s *decision) protocol.Reply {
	switch {
	case s.state == "" && d.wrong != confirmsBlindly:
		return protocol.Reply{Outcome: saga.OutcomeRetry, Problem: noWay}
	case s.state == "", s.state == "confirmed", s.state == "succeeded":
		if s.state != "" {
			s.state = "confirmed"
		}
		return done(saga.OutcomeConfirmed)
	}
	return failed(noWay)
}

func (d *desk) cancel(s *decision) protocol.Reply {
	switch {
	case s.state == "" && d.wrong == cancelFirstFails:
		return failed(noWay)
	case s.state == "" && d.wrong == runsLateRequests:
		return done(saga.OutcomeCompensated)
	case s.state == "":
		s.state = "cancelled"
	case s.state == "compensated" && d.wrong == cancelsOnce:
		return failed(noWay)
	case s.state == "confirmed" && d.wrong != cancelsConfirmed:
		return failed(noWay)
	case s.state == "succeeded", s.state == "confirmed":
		s.state = "compensated"
	}
	return done(saga.OutcomeCompensated)
}

// ServeHTTP is the desk by HTTP.
func (d *desk) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if d.wrong == smallBodies && req.ContentLength > 100<<10 {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	cmd, err := protocol.DecodeHTTPCommand(req)
	if err != nil {
		if d.wrong == carriesOutAnyway {
			_, _ = io.WriteString(w, "{}") // the client may be gone
			return
		}
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	reply, silent := d.decide(cmd)
	if silent {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	_ = protocol.WriteHTTPReply(w, cmd, reply) // the client may be gone
}

// serve is the desk by the broker, until the test ends.
func (d *desk) serve(t *testing.T, url, service string) {
	t.Helper()
	connection, err := amqp.Dial(url)
	require.NoError(t, err)
	channel, err := connection.Channel()
	require.NoError(t, err)
	require.NoError(t, channel.ExchangeDeclare(protocol.ExchangeCommands, amqp.ExchangeTopic, true, false, false, false, nil))
	queue := protocol.CommandQueue(service)
	_, err = channel.QueueDeclare(queue, true, false, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, channel.QueueBind(queue, service, protocol.ExchangeCommands, false, nil))
	deliveries, err := channel.Consume(queue, "", false, false, false, false, nil)
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for m := range deliveries {
			if err := d.answer(channel, m); err != nil {
				_ = connection.Close() // what is not acknowledged stays
				return
			}
			_ = m.Ack(false) // fails when the test ends
		}
	}()
	t.Cleanup(func() {
		_ = connection.Close() // it may have ended by itself
		<-ended
	})
}

var errStopped = errors.New("stopped")

func (d *desk) answer(channel *amqp.Channel, m amqp.Delivery) error {
	in := inbox.Delivery{
		MessageID: m.MessageId, CorrelationID: m.CorrelationId, ReplyTo: m.ReplyTo, ContentType: m.ContentType, ContentEncoding: m.ContentEncoding,
		Headers: map[string]string{}, Body: m.Body,
	}
	for name, value := range m.Headers {
		in.Headers[name], _ = value.(string)
	}
	cmd, err := protocol.DecodeCommand(in)
	switch {
	case err != nil && d.wrong == diesOfBadMessages:
		return errStopped
	case err != nil && d.wrong == carriesOutAnyway:
		headers := m.Headers
		headers[protocol.HeaderSagaOutcome] = "succeeded"
		return channel.PublishWithContext(context.Background(), "", cmp.Or(m.ReplyTo, "nowhere"), false, false,
			amqp.Publishing{MessageId: uuid.NewString(), CorrelationId: m.CorrelationId, ContentType: "application/json", Headers: headers, Body: []byte("{}")})
	case err != nil:
		return nil // a real one keeps it
	case d.wrong == smallBodies && len(m.Body) > 100<<10:
		return nil
	}
	reply, silent := d.decide(cmd)
	if silent {
		return nil
	}
	out, err := protocol.ReplyMessage(cmd, reply)
	if err != nil {
		return err
	}
	return d.publish(channel, out)
}

func (d *desk) publish(channel *amqp.Channel, out outbox.Message) error {
	headers := amqp.Table{}
	for name, value := range out.Headers {
		headers[name] = value
	}
	id := out.ID.String()
	switch d.wrong {
	case wrongKey:
		headers[protocol.HeaderSagaKey] = strings.Replace(out.Headers[protocol.HeaderSagaKey], "/work/", "/other/", 1)
	case newIDs:
		id = uuid.NewString()
	}
	return channel.PublishWithContext(context.Background(), "", out.RoutingKey, true, false, amqp.Publishing{
		MessageId: id, CorrelationId: out.CorrelationID, ContentType: out.ContentType, Headers: headers, Body: out.Payload,
	})
}
