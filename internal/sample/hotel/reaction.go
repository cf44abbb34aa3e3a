package hotel

import "go.example/saga/internal/sample/reaction"

// Reaction is the hotel's part where there is no orchestrator: it books when a reservation
// was placed, and releases when the payment was declined. The empty schema is public.
func Reaction(schema string) reaction.Reaction {
	return reaction.Reaction{
		Schema: schema, Step: StepName, Work: Step(schema),
		Does:   reaction.Of{Service: "reservation", Fact: "reservation.placed"},
		Undoes: reaction.Of{Service: "payment", Fact: "payment.declined"},
		Done:   "room.booked", Refused: "room.refused", Undone: "room.released",
	}
}
