// Package sagapg keeps sagas in PostgreSQL: the tables of sql/saga, and the first
// and later commands of each saga in the same database's outbox.
//
// # One transaction
//
// Whatever happens to a saga is one database transaction: its new state, a history
// row and the messages that follow from it. [Store.Start] and [Store.StartSQL] work
// in the transaction of the caller, together with the caller's own rows, so that a
// reservation without its saga, or a saga without its first command, cannot exist.
// [Store.Load] or [Store.Due] locks sagas, the caller decides with [saga.Step], and
// [Store.Save] writes all of it. A crash at any point before the commit leaves
// nothing; one after it leaves everything, and the relay sends the messages.
//
// # Invariants
//
//   - Sagas are locked in id order, so that batches which share sagas wait for one
//     another and never deadlock. Due timers pass over locked sagas.
//   - A state is written only over the version that it was made from.
//   - A (name, version) of a definition never changes. A saga starts only with the
//     definition that is stored, and is always stepped with that one, until an operator
//     moves it to another version.
//   - All times are the database's clock.
//   - A timer moves with every step, the time at which [Store.Due] looks at it hardly
//     ever: looking early costs one update, moving an indexed time one each step.
//
// The named constraints and triggers of sql/saga hold the rest; see there.
//
// A Store is safe for concurrent use.
package sagapg
