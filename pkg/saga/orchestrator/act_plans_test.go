package orchestrator

import (
	"time"

	"go.example/saga/pkg/saga"
)

// actPolicy grants two attempts.
var actPolicy = saga.Policy{
	Timeout:  10 * time.Second,
	RetryFor: time.Hour,
	Retry:    saga.Retry{Initial: time.Second, Factor: 1, Max: time.Second, Attempts: 2},
}

func asked(name string, kind saga.StepType, group string) saga.StepDefinition {
	return saga.StepDefinition{
		Name: name, Kind: saga.Command, Type: kind, Group: group, Destination: name,
		Request: actPolicy, Confirm: actPolicy, Cancel: actPolicy,
	}
}

func approval(then saga.OnTimeout) saga.StepDefinition {
	return saga.StepDefinition{Name: "approval", Kind: saga.Signal, Type: saga.Compensatable, Wait: time.Hour, OnTimeout: then}
}

func planned(name string, mode saga.Mode, steps ...saga.StepDefinition) saga.Definition {
	return saga.Definition{Name: name, Version: 1, Mode: mode, Steps: steps}
}

// Plans with which every state can be reached that an operator may meet.
var (
	straight = planned("straight", saga.Sequence,
		asked("hotel", saga.Compensatable, ""), asked("flight", saga.Pivot, ""), asked("mail", saga.Retriable, ""))
	abreast = planned("abreast", saga.Sequence,
		asked("hotel", saga.Compensatable, "g"), asked("car", saga.Compensatable, "g"), asked("flight", saga.Pivot, ""))
	approved = planned("approved", saga.Sequence,
		asked("hotel", saga.Compensatable, ""), approval(saga.TimeoutRefuses), asked("flight", saga.Pivot, ""))
	surveyed = planned("surveyed", saga.Sequence,
		asked("flight", saga.Pivot, ""), approval(saga.TimeoutParks), asked("mail", saga.Retriable, ""))
	delayed = planned("delayed", saga.Sequence,
		asked("hotel", saga.Compensatable, ""),
		saga.StepDefinition{Name: "rest", Kind: saga.Delay, Type: saga.Compensatable, Wait: time.Hour},
		asked("flight", saga.Pivot, ""))
	tried  = planned("tried", saga.TCC, asked("hotel", saga.Compensatable, ""), asked("car", saga.Compensatable, ""))
	judged = planned("judged", saga.Sequence, asked("flight", saga.Pivot, ""), conditional())
)

// conditional needs a member that the payload does not have.
func conditional() saga.StepDefinition {
	step := asked("mail", saga.Retriable, "")
	step.When = "payload.guests > 1"
	return step
}

func answered(step string, op saga.Operation, outcome saga.Outcome) saga.Reply {
	return saga.Reply{Step: step, Operation: op, Outcome: outcome, MessageID: "m"}
}

func told(verb saga.Verb) saga.Action { return saga.Action{Verb: verb, Who: "ada", Reason: "test"} }

var (
	hotelBooked = answered("hotel", saga.Request, saga.OutcomeSucceeded)
	hotelFull   = answered("hotel", saga.Request, saga.OutcomeFailed)
	hotelStays  = answered("hotel", saga.Cancel, saga.OutcomeFailed)
	hotelFree   = answered("hotel", saga.Cancel, saga.OutcomeCompensated)
	carBooked   = answered("car", saga.Request, saga.OutcomeSucceeded)
	flown       = answered("flight", saga.Request, saga.OutcomeSucceeded)
	flightFull  = answered("flight", saga.Request, saga.OutcomeFailed)
	mailed      = answered("mail", saga.Request, saga.OutcomeSucceeded)
	late        = saga.Timer{}
)

// situations are the states an operator may meet, and how they come about.
var situations = []struct {
	name   string
	def    saga.Definition
	events []saga.Event
}{
	{"under way", straight, nil},
	{"past the pivot", straight, []saga.Event{hotelBooked, flown}},
	{"side by side", abreast, nil},
	{"waits for a signal", approved, []saga.Event{hotelBooked}},
	{"before the signal", approved, nil},
	{"signal past the pivot", surveyed, []saga.Event{flown}},
	{"in a delay", delayed, []saga.Event{hotelBooked}},
	{"confirming", tried, []saga.Event{hotelBooked, carBooked}},
	{"paused", straight, []saga.Event{told(saga.Pause)}},
	{"paused between steps", straight, []saga.Event{told(saga.Pause), hotelBooked}},
	{"going back", straight, []saga.Event{hotelBooked, flightFull}},
	{"parked: attempts of a compensation spent", straight, []saga.Event{hotelBooked, flightFull, late, late}},
	{"parked: outcome of the pivot unknown", straight, []saga.Event{hotelBooked, late, late}},
	{"parked: compensation refused", straight, []saga.Event{hotelBooked, flightFull, hotelStays, late, hotelStays}},
	{"parked: confirmation spent", tried, []saga.Event{hotelBooked, carBooked, late, late}},
	{"parked: contradiction", straight, []saga.Event{hotelBooked, hotelFull}},
	{"parked: condition", judged, []saga.Event{flown}},
	{"parked: not signalled", surveyed, []saga.Event{flown, late}},
	{"completed", straight, []saga.Event{hotelBooked, flown, mailed}},
	{"aborted", straight, []saga.Event{hotelBooked, flightFull, hotelFree}},
	{"killed", straight, []saga.Event{told(saga.Kill)}},
}
