// Package desk holds the relay's rules without its I/O: what is sent next, what is
// parked, how far the position moves, and what has to be written down of all that. It
// knows no clock, database or broker; package relay tells it what these say.
//
// It knows little of messages either. What it needs is in a [Message]; the row that is
// meant, R, and the places in the log, P, are handed through as they are.
//
// # What the one who drives a desk has to do
//
//   - Admit the log in its order, each row with the place behind it, and one stretch of
//     it once.
//   - Answer each entry of [Desk.Next], in any order.
//   - Write what [Desk.Take] hands out, in that order and each part in one transaction,
//     and then tell it by [Desk.Saved].
//   - After a crash, set up a new desk from the position that was written and the
//     aggregates that have parked messages.
package desk
