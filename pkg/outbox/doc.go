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
// A message with a DeliverAt in the future is published then, or soon after. It keeps no
// place in its aggregate's order, and holds up no other message while it waits.
//
// Append never talks to the broker. The relay reads committed rows and publishes them.
//
// # Wake-up
//
// Append announces its commit by a NOTIFY on [Channel]. Of many commits only some are
// announced, see [AnnounceEvery], by each process for each database (for all together
// where no connection is known yet, as in a batch): a NOTIFY takes a lock of the whole
// cluster at commit. A commit that is not announced, or was made by outbox_append, a plain INSERT or another
// language, is found by polling. Such a writer may run NOTIFY itself. A transaction
// that has announced cannot be prepared for two-phase commit: use outbox_append there.
//
// # What a crash can do
//
// Before the commit: nothing is left, neither the business change nor a message. After
// it: both are there, and the relay publishes the message when it comes to it.
//
// # Payloads
//
// JSON is the default: a jsonb column, which people can query, and which refuses what
// is no JSON. It does not keep white space, the order of members or the way a number
// is written. A body that has to arrive byte for byte, signed JSON among them, has
// another content type than JSON and goes into a column of bytes.
//
// # Traces
//
// With an OpenTelemetry span active in its context, Append puts the W3C headers
// traceparent and tracestate into the row, so that the trace goes on where the message
// is published and consumed. Without one it adds nothing. outbox_append has no context:
// its callers give the headers themselves.
//
// # Checks
//
// A message that the broker would refuse must not get into the table, where it would
// stand in the way of those behind it. All messages of a call are therefore checked
// before the first is inserted, and a [*ValidationError] leaves the transaction as it
// was: it can go on. An error of the database ends the transaction, as any SQL error.
//
// Writers in other languages call the SQL function outbox_append, which checks the
// same; a plain INSERT is held to what the table itself refuses.
package outbox
