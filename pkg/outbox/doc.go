// Package outbox is the writing side of the transactional outbox: [Append] puts
// messages into the outbox table within the caller's own transaction.
//
// # The contract
//
// A message is published if and only if the transaction that appended it commits. It
// is published at least once, always with the same id; consumers that cannot bear a
// repetition compare ids. Messages of one AggregateID are published in the order in
// which they became visible: within a transaction in the order of the calls and of
// their arguments, and between transactions in the order of their commits, provided
// that writers of one aggregate do not write at the same time (they change the same
// business row, so one waits for the other: append after that row is locked).
// Between different aggregates no order is promised.
//
// Append never talks to the broker. The relay reads committed rows and publishes them.
//
// # What a crash can do
//
// Before the commit: nothing is left, neither the business change nor a message. After
// it: both are there, and the relay publishes the message when it comes to it.
//
// # Checks
//
// A message that the broker would refuse must not get into the table, where it would
// stand in the way of those behind it. All messages of a call are therefore checked
// before the first is inserted, and a [*ValidationError] leaves the transaction as it
// was: it can go on. An error of the database ends the transaction, as any SQL error.
//
// Writers in other languages call the SQL function outbox_append, which checks the
// same; a plain INSERT is held to the table's own CHECK constraints.
package outbox
