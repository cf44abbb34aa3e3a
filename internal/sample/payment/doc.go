// Package payment is the sample's participant that moves money: the saga step
// payment. REQUEST charges the card or declines, CANCEL gives back exactly what
// was charged. The ledger is append-only; a charge and its refund both stay, and are
// shown over HTTP.
//
// There is no payment provider behind it: a card whose number ends in 9999 is
// declined, every other one is charged. Towards a real provider the saga's id
// would be the idempotency key.
package payment
