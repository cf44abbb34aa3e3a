// Package inbox is the consumer loop that the orchestrator, the participants and
// the listeners to events share: messages in batches, one database transaction a
// batch, acknowledgement after the commit.
//
// # One round
//
// Receive what has arrived, at most MaxBatch messages. Begin a transaction, hand
// it and the messages to the [Handler], store what the handler rejects in
// inbox_quarantine, commit, acknowledge what is done. A message is therefore in the queue
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
// deliveries of a key are handed out in their order and the dispatcher never has two
// transactions for one key at a time. A message that is held because it failed alone is the
// exception: its key is free, what came after it overtakes it, and its next try may run
// beside them. So may a probe of an open circuit. Handlers bear that, as they bear several
// instances on one queue. Another transaction begins only when those that run have done so for 50 ms. So
// fast handlers work as with one worker, where what comes meanwhile shares the next commit. A
// delivery that costs as much as the budget is alone in its transaction. One worker is kept
// from those that are certain to, and takes the others on trial ([OnTrial]), so that fast ones
// pass whatever number of slow ones wait. The session's prefetch bounds how many can wait.
//
// What asks again for work that has not had its turn, as the next attempt of a command, can be
// told apart ([Config.Work]). It is handed out beside its key and by a worker of its own, marked
// as [Delivery].Repeated, so that it is answered although the work waits, or is held.
//
// Acknowledgements go out in any order, each when its transaction has committed. Work goes on
// when the session ends; its acknowledgement fails, and what is delivered again of the same key
// waits for it.
//
// What was delivered before, here or to another instance, is handed out alone, at a moment
// within 200 ms that differs from process to process: one of them may have ended the process
// that had it in hand. The order of a key is kept.
//
// # Order
//
// What fails alone is overtaken by what came after it of its key: at once while it is held,
// by hours when it is set aside and comes back. The key is not held with it, because that would
// stop all of an aggregate for as long as a day for one bad message, and what the broker
// delivers again, or an operator puts back, comes late in any case. So a handler looks at what
// it has: an end is final, a version or time of the message is compared with the row's, and
// what comes late or twice changes nothing that is newer.
//
// # What a crash can do
//
// Before the commit: nothing happened, the broker delivers again. Between commit
// and ack, or when the outcome of the commit is unknown: the broker delivers
// again what is done already. Handlers must be idempotent, and all they change
// must go through the transaction that they are given.
//
// # Events that are handled once
//
// A handler of plain events is idempotent by [Once]: it is called for each event once, one after
// the other, and the event's id commits with what it wrote.
//
// # Rights
//
// The role needs [Rights] and what [Config] says of the handler. The consumer
// proves it before each session and every ten seconds: without a right it takes no
// message, and what it reports names the statement that gives it. The tables of the
// handler are not its concern.
//
// # When it may not take messages
//
// What a consumer does may be of no use for a time, or do harm: a participant's commands are
// judged as unanswered while its answers stay in its outbox. [Config.Ready] says so. Then the
// session is closed and none is opened, but for a moment at the start, because that declares the
// queue: what comes meanwhile lies there, and a queue of another service is found. So everybody can see that the queue has no
// consumer, and nothing is tried in vain. [Config].Report is told an error that Is
// [ErrNotReady] and has the reason.
//
// # Who is to blame
//
// A message is to blame when it cannot be read: the handler rejects it, and it goes to the
// quarantine at once. It also is when it fails alone, again and again, while others
// commit. All else is an outage. No SQLSTATE and no panic decides by itself, because a
// missing partition, an exhausted sequence or a bad deployment fails for every message.
// The rule is a pure function of what happened and when; package blame has its table.
//
// A verdict may be wrong, so it is reversible: what was set aside is tried again by itself,
// see package quarantine. The consumer does that, where its sessions are [Returning].
//
// While a message is held, the batches go on without it. It keeps its place in the queue:
// it stays unacknowledged. RabbitMQ allows that for 30 minutes (consumer_timeout); a
// session in which one was held for 15 is replaced by another, and the message comes
// again with its time kept. The window of unacknowledged deliveries is smaller meanwhile.
//
// # The circuit
//
// While it is open, deliveries are given back and nothing is acknowledged, but what cannot
// be read, and what goes back to the row that it has in the quarantine. A session is opened
// for each probe, after 1 s, 2 s, … 10 s, and only if the database answers. It waits until
// no more comes and tries one, alone: one that has not failed yet, each time
// from another place, because those in front may be the bad ones; else the one whose failure
// is the longest ago. A commit closes the circuit. [Config].Report is told
// an error that Is [ErrCircuitOpen] and has the SQLSTATE of the last failure.
//
// Each time that a delivery is given back counts against the queue's x-delivery-limit. At
// the 100,000 of this project's queues an outage may last eleven days.
//
// A transaction may take 30 s more than [Config.Limit]: nothing here cuts off work within its
// limit.
//
// The loop never gives up: it returns only when its context ends, after the batches
// in hand, which then have 5 s.
package inbox
