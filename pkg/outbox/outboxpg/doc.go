// Package outboxpg reads the outbox table as a log and keeps the reader's place,
// in PostgreSQL 13 or newer.
//
// # Snapshot difference
//
// A row's id says when it was inserted, not when it was committed, so reading
// "id > last" would skip for ever what commits late. Waiting for the oldest
// transaction of the cluster instead would let one long transaction, in any
// database, hold everything back. So the place in the log is a snapshot, S1, of
// which every visible row is published. The new rows are the difference to a
// later snapshot S2: visible in S2 and not in S1. Whatever the order of commits,
// each committed row is in exactly one such difference, and a transaction that is
// still open delays its own rows and no others. Rows of a rolled back transaction
// and of a rolled back savepoint are in none.
//
// The difference (S1,S2) is a window. It is read in pages in the order of ids and
// the place inside it is the last id. Order within one aggregate follows: who
// changes an aggregate after another has seen that commit, and so draws a higher
// id in the same window, or is in a later one. Transaction numbers would not do:
// a transaction can get its number early and insert late.
//
// # The place and the lease
//
// The table outbox_position has one row a shard: S1, S2, the last id, and the lease of the
// one relay that may publish the shard. A shard is a part of the aggregates, by hash;
// each has a position of its own, and reads the log past the rows of the others.
// [Log.Acquire] takes a lease that is free, expired or
// the caller's own and raises its epoch; each write names the epoch, so a former holder that wakes up
// late changes nothing and gets [ErrLost]. The database's clock decides, but for a lease
// that has stood unchanged for its own length: that clock was set back, and the lease is
// void.
// Nothing that matters is session state (no advisory lock, no transaction longer than
// a few statements; only [Bell], which is a hint, listens), so a pooler in transaction
// mode is no obstacle.
//
// # Parked messages
//
// A message that cannot be published in its turn is set aside in outbox_parked by the
// same transaction that moves the position over it, and leaves that table when the
// broker has confirmed it. See [Progress].
//
// # What a crash can do
//
// Rows that were published and not yet covered by [Tenure.Save] are read again by
// the next holder: duplicates with the same event id, never a loss.
//
// # Clusters
//
// Transaction numbers mean nothing in another cluster. The position row names the
// cluster and the transaction that wrote it. A base backup and a promoted standby keep
// the cluster's identifier; pg_upgrade does not, but the rows keep their xmin, which is
// that transaction. In a restored dump neither holds, and Acquire fails with [ErrForeign].
// [Log.Rebase] then takes over what the dump says of itself: which rows were published
// is arithmetic on the numbers that came along.
package outboxpg
