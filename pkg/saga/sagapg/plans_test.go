package sagapg_test

import (
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
)

// policy is one for operations that are answered soon.
func policy() saga.Policy {
	return saga.Policy{
		Timeout:  10 * time.Second,
		RetryFor: time.Hour,
		Retry:    saga.Retry{Initial: time.Second, Factor: 2, Max: 30 * time.Second, Jitter: 0.2, Attempts: 3},
	}
}

// command is a step that can be undone.
func command(name string) saga.StepDefinition {
	return saga.StepDefinition{
		Name: name, Kind: saga.Command, Type: saga.Compensatable, Destination: name,
		Request: policy(), Confirm: policy(), Cancel: policy(),
	}
}

// plan is a definition with two steps that can be undone.
func plan() saga.Definition {
	return saga.Definition{
		Name: "room-reservation", Version: 1, Mode: saga.Sequence,
		Steps: []saga.StepDefinition{command("room-booking"), command("payment")},
	}
}

// journey is a definition with a step of every kind: side by side, on a condition,
// before and after the pivot.
func journey() saga.Definition {
	hotel, flight, car, seal, mail, badge := command("hotel"), command("flight"), command("car"), command("seal"), command("mail"), command("badge")
	hotel.Group, flight.Group = "booking", "booking"
	flight.Send, flight.Keep = saga.Projection{"guests": "/payload/guests"}, saga.Projection{}
	car.When = "outputs.hotel.n > 0"
	seal.Type = saga.Pivot
	mail.Type, badge.Type, mail.Group, badge.Group = saga.Retriable, saga.Retriable, "papers", "papers"
	return saga.Definition{
		Name: "journey", Version: 1, Mode: saga.Sequence, Deadline: 2 * time.Hour,
		Steps: []saga.StepDefinition{
			hotel, flight,
			{Name: "cooling", Kind: saga.Delay, Wait: time.Minute},
			{Name: "approval", Kind: saga.Signal, Wait: 30 * time.Minute, OnTimeout: saga.TimeoutRefuses},
			car, seal, mail, badge,
			{Name: "survey", Kind: saga.Signal, Wait: time.Hour, OnTimeout: saga.TimeoutParks},
		},
	}
}

// tried is a definition of mode TCC, without a deadline: all at once.
func tried() saga.Definition {
	hotel, flight := command("hotel"), command("flight")
	hotel.Group, flight.Group = "booking", "booking"
	return saga.Definition{
		Name: "tried", Version: 1, Mode: saga.TCC,
		Steps: []saga.StepDefinition{
			hotel, flight,
			{Name: "approval", Kind: saga.Signal, Group: "booking", Wait: time.Hour, OnTimeout: saga.TimeoutParks},
		},
	}
}

// follow stores another plan, which later sagas follow.
func (b *bench) follow(def saga.Definition) {
	b.Helper()
	_, err := b.store.ApplyDefinition(b.ctx, b.db, def)
	require.NoError(b, err)
	b.def = def
}

// answer is what the participant says of the first attempt.
func answer(step string, op saga.Operation, outcome saga.Outcome) saga.Reply {
	return saga.Reply{Step: step, Operation: op, Outcome: outcome, Attempt: 1, MessageID: "m-1"}
}

func succeeded(step string) saga.Reply { return answer(step, saga.Request, saga.OutcomeSucceeded) }
