// Package groupcommit lets many small transactions of one process be one.
//
// A service that stores an order, or starts a saga, for each request makes a transaction
// for each: a round trip, a flush of the log, and the setting up of every statement,
// several times what writing the rows costs. While one such transaction is under way,
// those that are wanted meanwhile wait here and then go together, as statements for all of
// them. Without load nobody waits.
//
// # What is promised
//
// Each item takes effect whole or not at all, and [Group.Do] returns nil only if it is
// committed. An item that the database refuses takes no other with it: the group is
// divided until the one that is to blame stands alone, and its caller gets the error.
//
// # What a crash can do
//
// As with any transaction: before the commit nothing happened; when the connection is
// lost at the commit, the outcome is unknown, to all who shared it.
package groupcommit
