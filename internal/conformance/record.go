package conformance

import (
	"fmt"
	"slices"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// Sent is a command of a check that was sent, and what came.
type Sent struct {
	Command
	Saga    saga.ID
	Message inbox.Delivery
	Answers []Answer
	// Trouble is what came by HTTP and is no reply, the last of it.
	Trouble string
	// Over says that no answer can come any more.
	Over bool
	// Again is the next attempt, which followed an answer "retry".
	Again *Sent
}

// Answer is a reply, read leniently: what is wrong with its form is told apart from what it
// says.
type Answer struct {
	ID      string
	Outcome saga.Outcome
	Body    jsonmap.JSONMap
	// Breaks are the rules of replies that it breaks.
	Breaks []string
}

// Find is the command that a reply answers, by whatever it says of that; nil where it says
// nothing that fits.
func Find(sent []*Sent, d inbox.Delivery) *Sent {
	byKey, step, op := key(d)
	ids := []string{d.Headers[protocol.HeaderSagaID], byKey, d.CorrelationID}
	var best *Sent
	points := 0
	for _, s := range sent {
		if !slices.Contains(ids, text(s.Saga)) {
			continue
		}
		n := 2
		if said := d.Headers[protocol.HeaderSagaOp]; said == string(s.Operation) || said == "" && op == string(s.Operation) {
			n += 16
		}
		if d.Headers[protocol.HeaderSagaAttempt] == fmt.Sprint(s.Attempt) {
			n += 8
		}
		if said := d.Headers[protocol.HeaderSagaStep]; said == s.Message.Headers[protocol.HeaderSagaStep] || said == "" && step == said {
			n += 4
		}
		if len(s.Answers) < s.Copies { // of copies in several rounds the one that waits
			n++
		}
		if n > points {
			best, points = s, n
		}
	}
	return best
}

// Read reads a reply to the command.
func (s *Sent) Read(d inbox.Delivery) Answer {
	a := Answer{ID: d.MessageID, Outcome: saga.Outcome(d.Headers[protocol.HeaderSagaOutcome])}
	a.Body, _ = jsonmap.Parse(d.Body) // what is wrong with it is found below
	if _, _, err := protocol.DecodeReply(d); err != nil {
		a.Breaks = append(a.Breaks, err.Error())
	}
	if s.Flaw != nil {
		return a
	}
	for _, name := range []string{
		protocol.HeaderSagaID, protocol.HeaderSagaType, protocol.HeaderSagaStep, protocol.HeaderSagaOp,
		protocol.HeaderSagaAttempt, protocol.HeaderSagaKey,
	} {
		if got, want := d.Headers[name], s.Message.Headers[name]; got != want {
			a.Breaks = append(a.Breaks, fmt.Sprintf("%s is %q, the command's is %q", name, got, want))
		}
	}
	return a
}

// Decided are the answers that say more than "ask again", with those to the attempts that
// followed.
func (s *Sent) Decided() (answers []Answer) {
	for one := s; one != nil; one = one.Again {
		for _, a := range one.Answers {
			if a.Outcome != saga.OutcomeRetry || s.may(saga.OutcomeRetry) {
				answers = append(answers, a)
			}
		}
	}
	return answers
}

// Waits says how many answers are still to come; one that says "retry" where a decision is
// wanted is none, unless another copy was decided.
func (s *Sent) Waits() int {
	if s.Flaw != nil || s.Over {
		return 0
	}
	if n := s.Copies - len(s.Answers); n > 0 {
		return n
	}
	if len(s.Decided()) == 0 {
		return 1
	}
	return 0
}

// AsksAgain says that the command was answered "retry" alone, so that an orchestrator would
// send another attempt.
func (s *Sent) AsksAgain() bool {
	return s.Flaw == nil && s.Again == nil && len(s.Answers) >= s.Copies && len(s.Decided()) == 0
}
