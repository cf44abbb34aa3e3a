package conformance

import (
	"fmt"
	"slices"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/saga"
)

// Check is one demand of the protocol, with the commands that show whether it is met.
type Check struct {
	Name string
	// Demands is what must hold, a sentence.
	Demands string
	// Rule is the heading in docs/protocol.md under which it stands.
	Rule string
	// Needs says what must be known of the participant; without, the check is left out.
	Needs Needs
	// Rounds follow one another: the next is sent when the one before is answered.
	Rounds []Round
	// Restart has the user's command run in the middle of the first round. A participant that
	// was killed may answer a command more often than it came.
	Restart bool
}

// Needs are what not every participant has.
type Needs struct {
	Confirm, Cancel, Refusal, Restart bool
}

// Round is sent together.
type Round []Command

// Command is one to send, and what may be answered.
type Command struct {
	// Saga counts the sagas of the check. Each is new.
	Saga int
	// Unknown addresses a step that no participant has.
	Unknown   bool
	Operation saga.Operation
	Attempt   int
	// Copies are sent of it, all the same message.
	Copies  int
	Content Content
	// Flaw, where set, makes it a message that breaks a rule.
	Flaw *Flaw
	// Want are the outcomes that may be answered.
	Want []saga.Outcome
}

// Content says which body a command has.
type Content int

const (
	// Usual is a payload that succeeds.
	Usual Content = iota
	// Refused is a payload that is refused.
	Refused
	// Largest is the usual payload, with outputs of an earlier step that make the body as
	// large as that of a command may be.
	Largest
)

// Flaw breaks a rule of the protocol.
type Flaw struct {
	Name  string
	Break func(*inbox.Delivery)
	// Broker says that it has no counterpart by HTTP.
	Broker bool
}

func request(of int) Command {
	return Command{Saga: of, Operation: saga.Request, Attempt: 1, Copies: 1, Want: []saga.Outcome{saga.OutcomeSucceeded}}
}

func cancel(of int) Command {
	return Command{Saga: of, Operation: saga.Cancel, Attempt: 1, Copies: 1, Want: []saga.Outcome{saga.OutcomeCompensated}}
}

func confirm(of int) Command {
	return Command{Saga: of, Operation: saga.Confirm, Attempt: 1, Copies: 1, Want: []saga.Outcome{saga.OutcomeConfirmed}}
}

func (c Command) try(attempt int) Command  { c.Attempt = attempt; return c }
func (c Command) times(copies int) Command { c.Copies = copies; return c }
func (c Command) unknown() Command         { c.Unknown = true; return c }
func (c Command) of(content Content) Command {
	c.Content = content
	return c
}

func (c Command) wants(outcomes ...saga.Outcome) Command {
	c.Want = outcomes
	return c
}

func (c Command) with(flaw *Flaw) Command {
	c.Flaw, c.Want = flaw, nil
	return c
}

// String names the command for people.
func (c Command) String() string {
	text := fmt.Sprintf("%s, attempt %d", c.Operation, c.Attempt)
	if c.Unknown {
		text += ", of a step that nobody has"
	}
	if c.Flaw != nil {
		text = "a message with " + c.Flaw.Name
	}
	return text
}

// may says whether the outcome is among those wanted.
func (c Command) may(outcome saga.Outcome) bool { return slices.Contains(c.Want, outcome) }
