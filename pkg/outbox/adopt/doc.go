// Package adopt makes a table that somebody else made into a log that the relay reads,
// while those who write to the table go on as before.
//
// The relay reads the relation "outbox" of a schema. In a schema of the relay's own,
// [Apply] makes this a view over the table, as a [Mapping] says. What the log needs
// and the table lacks is added to the table as columns with defaults: the order of
// insertion, the inserting transaction, and an id and a time where there are none. An
// INSERT that names its columns does not notice.
//
// All of it happens in one transaction. What is there is left as it is, so that a step
// can be taken by hand before, where the table is large, and a second run finds
// nothing to do. The relay's own tables come after it, with their migrations.
//
// The view has the same columns and types whatever the mapping, so that it can be
// replaced while a relay reads it. Another table or another order would make the
// relay's position mean other rows: that takes another schema.
package adopt
