// Package inbox is the consumer loop that the orchestrator, the participants and
// the listeners to events share: messages in batches, one database transaction a
// batch, acknowledgement after the commit.
//
// # One round
//
// Receive what has arrived, at most MaxBatch messages. Begin a transaction, hand
// it and the messages to the [Handler], store what the handler rejects in
// inbox_quarantine, commit, acknowledge all. A message is therefore in the queue
// until its work or its quarantine row is durable.
//
// # Several transactions
//
// A dispatcher stands between what is received and what is processed. It gives each
// transaction what fits into its time: in the order of arrival, at most MaxBatch deliveries,
// whose costs, as [Config.Cost] expects them, do not exceed the Budget. What the handler puts
// off ([Rejection].Later) is handed out again, before what came after it.
//
// With [Config.Workers] several transactions run side by side, divided by [Config.Key]: the
// deliveries of a key are handed out in their order and are never in two transactions at the
// same time. Another transaction begins only when those that run have done so for 50 ms. So
// fast handlers work as with one worker, where what comes meanwhile shares the next commit. A
// delivery that costs as much as the budget is alone in its transaction, and one worker is
// kept from such deliveries, so that fast ones pass whatever number of slow ones wait. The
// session's prefetch bounds how many can wait.
//
// Acknowledgements go out in any order, each when its transaction has committed. Work goes on
// when the session ends; its acknowledgement fails, and what is delivered again of the same key
// waits for it.
//
// # What a crash can do
//
// Before the commit: nothing happened, the broker delivers again. Between commit
// and ack, or when the outcome of the commit is unknown: the broker delivers
// again what is done already. Handlers must be idempotent, and all they change
// must go through the transaction that they are given.
//
// # Rights
//
// The role needs [RightsToQuarantine] and what [Config] says of the handler. The consumer
// proves it before each session and every ten seconds: without a right it takes no
// message, and what it reports names the statement that gives it. The tables of the
// handler are not its concern.
//
// # Errors
//
// An error of the database or of the handler is of one of three classes, see
// [Classify]:
//
//   - Transient: not the message's fault. The batch is repeated in process with
//     backoff for about a minute; then the session is dropped, so that another
//     instance can try, and opened again after a pause. A session is only opened
//     while the database answers: an outage must not use up the queue's
//     x-delivery-limit.
//     A batch that ran out of time or lost its connection inside of the transaction
//     may do so for ever, for one of its messages or for their number. After a
//     few tries it is halved; a message that still fails so alone stays in the queue,
//     and the others commit.
//   - Permanent: the message's fault, also a panic of the handler. The batch is
//     halved until the bad message stands alone. It goes to the quarantine with
//     its reason, the others commit.
//   - Unknown: a message that stands alone is tried a few times more, then treated
//     as permanent.
//
// A transaction may take 30 s more than [Config.Limit], and is repeated for a minute more than
// that: nothing here cuts off work within its limit.
//
// The loop never gives up: it returns only when its context ends, after the batches
// in hand, which then have 5 s.
package inbox
