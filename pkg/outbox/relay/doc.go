// Package relay moves committed messages from an outbox to the broker: at least
// once, in the order of their commits within one aggregate, and nothing that was
// rolled back.
//
// # One turn
//
// An [Engine] serves one database in turns. A turn takes the lease of the outbox,
// opens a session with the broker, and streams until something breaks; then it
// saves how far it came, gives the lease up, and the next turn begins after a
// pause with backoff and jitter. Nothing that happens to the database or to the
// broker makes Run return, only the end of its context does. A second engine on
// the same database stands by and takes over when the lease is free.
//
// Streaming is a pipeline of three goroutines: one reads the next page while the
// second publishes, and the third takes the confirms in the order of publishing.
// At most Window messages and 64 MiB of them are unconfirmed. Beside them a keeper writes the
// position, for many messages at once, and that renews the lease.
//
// # Invariants
//
//   - The saved position covers confirmed messages only. It is moved to the
//     highest message below which all are confirmed.
//   - At most Window messages are unconfirmed, and at most Window confirmed ones
//     are not saved yet. These are what a crash publishes a second time, with the
//     same message ids. A crash loses nothing and reorders nothing: the
//     repetition begins at an earlier row and goes on in order.
//   - Who cannot renew its lease stops before the lease ends. The one gap that no
//     lease closes: a process that is frozen between looking at its clock and
//     writing to the socket can send what it had in hand after waking up. These
//     too are duplicates under the same ids.
//
// # What the broker refuses
//
// Nothing is skipped, because a later message of the same aggregate must not
// overtake. The log stops at a message that no queue takes, that the broker nacks
// or that the protocol cannot carry. The reason stands in outbox_position and in
// the status, and the message is tried again, alone, until it passes. Messages
// behind it that were in flight already have overtaken it once; they are published
// again after it, so their consumers see duplicates with the same ids.
//
// One bad message can also make the broker end the session, and then the outcome
// of everything in flight is unknown. So after a broken session the engine first
// publishes as many messages as were in flight one by one. The bad one is then
// alone when the session breaks, which names it, and good ones are not repeated
// for ever.
package relay
