// Package groupcommit lets many small transactions of one process share a commit.
//
// A service that stores an order, or starts a saga, for each request makes a transaction
// for each: a round trip, a flush of the log, and the setting up of every statement,
// several times what writing the rows costs. While one such transaction is under way,
// those that are wanted meanwhile wait here and then go together, as one. Without load
// nobody waits.
//
// # What is promised
//
// Each caller's statements take effect whole or not at all, and [Group.Do] returns nil
// only if they are committed. A statement that the database refuses takes nobody else's
// with it: the group is divided until the one that is to blame stands alone, and its
// caller gets the error. Statements of others may come in between one's own, and nobody
// can tell a share from a transaction of his own, but by now() and the transaction's
// number, which are the same for all.
//
// # What a crash can do
//
// As with any transaction: before the commit nothing happened; when the connection is
// lost at the commit, the outcome is unknown, to all who shared it.
package groupcommit
