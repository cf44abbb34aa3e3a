// Package participant is the other side of a saga: it takes the commands for the
// steps of one service, does each at most once, and answers.
//
// # One command
//
// A batch of commands is one transaction of the service's own database, see
// [go.example/saga/pkg/inbox]. Within it each command has its own savepoint: enter
// the barrier, call the step's handler, keep the answer. The replies go into the
// service's outbox in the same transaction, and the relay publishes them.
//
// # The barrier
//
// The table saga_barrier has one row for each decided (saga, step, operation).
// It is written in the transaction of the work, so both stand or neither.
//
//	REQUEST, first           handler runs
//	REQUEST, seen            answered again as before, nothing runs
//	CANCEL of a success      handler runs
//	CANCEL of a refusal      compensated, nothing runs: nothing was in effect
//	CANCEL, no REQUEST yet   compensated, nothing runs, and the REQUEST is
//	                         cancelled for ever: when it comes late it is refused
//	CANCEL, seen             compensated again, nothing runs
//
// REQUEST and CANCEL at the same time, on two instances: both first insert the
// REQUEST's row, and the primary key lets one of them. The other waits until the
// first has committed or rolled back, and then sees its row or inserts its own.
// There is no order of arrival in which both handlers miss each other.
//
// # Answers
//
// A handler that returns nil has done its work. One that returns [Refuse] says no
// for business reasons: what it wrote is rolled back, and the refusal of a REQUEST
// is kept, so that no redelivery turns it into a success. The refusal of a CANCEL is
// not kept, because compensations are tried again. Any other error, and a panic, is
// technical: what it wrote is rolled back, nothing is kept, and the orchestrator is
// asked to try again later. It is told the kind of error only, never its text.
//
// Deadlocks and serialization failures repeat the whole batch at once; a lost
// connection repeats it when the database is back. Commands that cannot be decoded
// or name an unknown step go to the quarantine.
//
// # What a crash can do
//
// Before the commit nothing has happened. After it, the broker may deliver commands
// again that are done; they are answered with the same reply under the same message
// id. A handler's effects outside its transaction are not protected by any of this:
// give other systems the command's Key as their idempotency key.
package participant
