// Package orchestrator drives sagas: it turns participants' replies and due timers
// into the next commands. What to do is decided by package saga, what is kept lies
// in package sagapg; this package only brings the two together in transactions.
//
// # Replies
//
// [Engine.Handle] takes a batch of messages: decode each, lock the sagas they
// belong to, apply [saga.Step] in the order of delivery, save. Several replies to
// one saga in one batch build on one another. The caller (package inbox) commits
// and acknowledges. What cannot be decoded, belongs to no saga here or cannot
// belong to its saga's past is rejected with the reason; the others go on.
//
// # Timers
//
// [Engine.RunTimers] looks for sagas whose wake time has come, a batch a
// transaction, and gives each a [saga.Timer]. It sleeps until the next one is due,
// at most half a second, because another process may set an earlier one. A saga
// whose timer cannot be applied is left out for a while, so that it does not hold
// up the others. Every ten seconds it looks for sagas that were written in the future:
// the database's clock has gone back, and their waits are counted from now.
//
// Where the time of a published command is over, the engine first asks the broker who
// consumes its queue ([Config].Queues), with no transaction open: the core spends no
// attempt while nobody does, or while that cannot be asked.
//
// # Retention
//
// [Expiry] walks along the ids from the oldest on and deletes sagas that ended longer
// ago than the retention, a bounded number a round.
//
// # Several instances, and crashes
//
// Any number of engines may share a database and a queue. The row lock puts those
// that meet at one saga in line; the second one reads what the first one wrote, and
// [saga.Step] calls the reply a duplicate or the timer early. A crash before the
// commit changes nothing: the broker delivers again and the timer is still due. One
// after it loses only the acknowledgement: the reply comes again as a duplicate.
package orchestrator
