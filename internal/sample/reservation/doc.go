// Package reservation is the sample's business service: it takes a guest's wish
// for a room and has a saga carry it out.
//
// [Service.Place] writes the reservation, the saga, its history and the first
// command in one transaction. A crash before the commit leaves nothing, a crash
// after it loses nothing: the client repeats the POST with its Idempotency-Key
// and gets the same reservation.
//
// States: PENDING → SUCCEED when the saga completed, PENDING → FAILED with a
// reason when it was undone. [Finish] makes that move when the saga's event
// arrives, any number of times. A saga that is parked leaves the reservation
// PENDING: an operator decides.
//
// A card number lives in the body of the request and nowhere else. [CardNumber]
// keeps four digits of it, so that there is nothing to log, store or send by
// mistake; a random token stands for the card from then on. A real service would
// hand the number to a card vault at this place and get the token from there.
package reservation
