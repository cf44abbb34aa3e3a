// Package participant is the other side of a saga: it takes the commands for the
// steps of one service, does each at most once, and answers.
//
// # One batch
//
// A batch of commands is one transaction of the service's own database, see
// [go.example/saga/pkg/inbox] and below. All of them enter the barrier in one round trip, which
// locks their steps in one order; then the handlers run behind a savepoint; then
// their answers are kept and put into the service's outbox in one more round trip.
// The relay publishes them.
//
// A handler is called for each command, or, where the step has one of type [All], for
// all commands of the batch for one operation of one step: first those, by step and
// operation, then single commands in the order of their sagas. With the handlers' own
// statements, n calls cost n + 1 round trips beside begin and commit, so a batch of
// REQUESTs for one step whose RequestAll has one statement costs three, however many
// they are. Commands for the same step of the same saga in one batch, such as a repeated
// one, enter one after another.
//
// # Slow handlers
//
// A transaction is bounded by time, [Config].Budget, 500 ms by default. It gets as many
// commands as fit by what their handlers took of late; a handler of which nothing is known
// begins with one. When the budget is spent, what is entered and not begun leaves the barrier
// as if it had never been there and goes into the next transaction, so that what is done
// is committed and answered first. A set is one call and is not divided: sets grow while they
// take less than half of the budget, and are halved when they take more than all of it.
//
// Up to [Config].Workers transactions, 4 by default, run side by side, never two with the same
// saga. A command whose handler takes as long as the budget has a transaction of its own. Where
// a handler outruns the budget beside other commands, its context ends, what it did is rolled
// back, and it is begun again by itself. The last worker that is free takes no such command,
// and gives one that is only expected to be slow twice the time of others of its kind.
//
// A handler has [Config].Limit for one command, 30 s by default. Then its context ends, what it
// did is rolled back, and the command is answered with retry and the problem
// urn:problem:saga:time-limit; the orchestrator asks again. A handler that does not look at its
// context cannot be ended: it is waited for, and if it ends well it is done. Where a command
// comes again because its handler outlasts the step's timeout, the log has a warning.
//
// Commands wait in the process, up to the session's prefetch, where the orchestrator cannot see
// them. An attempt that comes while an earlier one waits there, or is carried out, for longer
// than the budget, or is held because it fails alone, is answered at once, past the barrier, with retry and the problem
// urn:problem:saga:in-line. So it uses up no attempt, and a long line aborts no saga.
//
// # Other systems
//
// A handler may call another system, and its transaction is open meanwhile: it holds a
// connection of the pool, its row locks, and a worker. While a command is alone in its
// transaction, idle_in_transaction_session_timeout is 10 s above the limit, whatever the pool
// says. The bounds on one statement, statement_timeout and lock_timeout, are the pool's: raise
// them with the limit where one statement may take that long. Give the call ctx, and the command's Key as its idempotency
// key: handlers are begun again after an error, a crash or the end of their time, and what they
// did elsewhere is not rolled back. Where calls take long, write a row and make the call from
// a worker of your own, or have the saga wait for a signal.
//
// # The barrier
//
// The table saga_barrier has one row for each step of a saga. It is written in the
// transaction of the work, so both stand or neither.
//
//	REQUEST ─► succeeded ─┬─ CONFIRM ─► confirmed
//	   │                  └─ CANCEL ──► compensated
//	   └─ refused ─► failed
//	CANCEL, when no REQUEST came before ─► cancelled
//
// What a command is answered, by the state that it finds. "run" is where the handler
// runs; everywhere else nothing does.
//
//	state         REQUEST             CONFIRM             CANCEL
//	no row        run → succeeded     retry               compensated → cancelled
//	succeeded     succeeded, again    run → confirmed     run → compensated
//	failed        failed, again       failed              compensated
//	cancelled     failed              failed              compensated
//	confirmed     succeeded, again    confirmed           failed
//	compensated   succeeded, again    failed              compensated
//	forgotten     retry               failed              failed
//
// A CANCEL that comes first leaves a mark, so that its REQUEST never runs. A CONFIRM
// that comes first leaves none and is told to come again: the orchestrator sends it
// only after the REQUEST has succeeded, so the row was lost or another database is
// asked. CONFIRM after CANCEL, and CANCEL after CONFIRM, say what is the matter and
// change nothing; the orchestrator does not send them, and parks the saga.
//
// Commands for one step at the same time, on two instances: REQUEST and CANCEL insert
// the step's row, and the primary key lets one of them; CONFIRM and CANCEL update it.
// The other waits until the first has committed or rolled back, and then finds its
// row or writes its own. There is no order of arrival in which both handlers miss
// each other.
//
// # Forgetting
//
// A row is deleted when its saga began, and its step was decided, longer ago than
// [Config].Remember, 90 days by default: a thousand rows a transaction, every ten minutes,
// beside the work. The saga's id, of version 7, says when it began, so the walk goes along
// the primary key. Sagas with other ids are remembered for ever. A watermark in the same
// database, saga_barrier_watermark, moves with each deletion. A command for a saga at or
// below it that finds no row comes too late: nothing runs, and it is answered with the
// problem urn:problem:saga:forgotten. What became of the saga is not known, so no answer
// pretends it: a REQUEST is answered retry, because failed would say that it never took effect;
// CONFIRM and CANCEL are failed. The orchestrator asks again as its policy says, undoes a
// REQUEST that it had no answer to, and then parks the saga for somebody who looks what this
// service holds for it.
//
// A command at the same time as the deletion of its row waits for it, or keeps the row. It
// asks for the watermark after it has found no row, with a newer snapshot, and so sees that
// it has moved.
//
// # Answers
//
// A handler that returns nil has done its work. One that returns [Refuse] says no
// for business reasons: what it wrote is rolled back, and the refusal of a REQUEST
// is kept, so that no redelivery turns it into a success. The refusal of a CONFIRM or
// a CANCEL is not kept, because these are tried again. Any other error, and a panic, is
// technical: what it wrote is rolled back, nothing is kept, and the orchestrator is
// asked to try again later. It is told the kind of error only, never its text. Where
// one call has several commands, it is repeated without those that failed, so that they
// take nobody with them; what that means for a refusal is said at [All].
//
// Deadlocks and serialization failures repeat the whole batch at once; a lost
// connection repeats it when the database is back. Commands that cannot be decoded go to
// the quarantine.
//
// A command whose step is not carried out here, or has no handler for the operation, is
// refused at once, with the problem urn:problem:saga:no-handler, by a handler that always
// refuses. It passes the barrier like the others: the refusal of a REQUEST is kept, a REQUEST
// that was done before has its old answer, a CANCEL for which there is nothing to undo is
// compensated, and one of what succeeded is failed. To have a refused REQUEST run after all,
// once the handler is there, delete its row of saga_barrier.
//
// # Answers that do not leave
//
// A saga whose answers stay in the outbox is judged as if nobody had answered. So commands are
// taken only while a relay publishes: the first when the leases of all shards are held, and none any
// more when an answer has lain there for two seconds after its commit. Then the session is closed
// as package inbox says, the orchestrator sees that the queue has no consumer and spends no
// attempt, and [Config].Report has an error that Is [ErrAnswersLie]. Commands are taken again when
// the answers have left. It is asked twice a second, only while answers are out: the position
// of the relay is compared with the transaction that wrote them. An answer that the broker
// refuses has left in this sense: it is in outbox_parked, and is told there.
// [Config].WithoutRelay turns this off.
//
// # What a crash can do
//
// Before the commit nothing has happened. After it, the broker may deliver commands
// again that are done; they are answered with the same reply under the same message
// id. A handler's effects outside its transaction are not protected by any of this:
// give other systems the command's Key as their idempotency key.
package participant
