package payment

import "go.example/saga/internal/sample/reaction"

// Reaction is the payment's part where there is no orchestrator: it charges when a
// reservation was placed, and gives back when the room was refused. The empty schema is public.
func Reaction(schema string) reaction.Reaction {
	return reaction.Reaction{
		Schema: schema, Step: StepName, Work: Step(schema),
		Does:   reaction.Of{Service: "reservation", Fact: "reservation.placed"},
		Undoes: reaction.Of{Service: "hotel", Fact: "room.refused"},
		Done:   "payment.captured", Refused: "payment.declined", Undone: "payment.voided",
	}
}
