// Package relay moves committed messages from an outbox to the broker: at least
// once, in the order of their commits within one aggregate, and nothing that was
// rolled back.
//
// # One turn
//
// An [Engine] serves one shard of one database in turns. A turn takes the shard's lease,
// opens a session with the broker, and streams until something breaks; then it
// saves how far it came, gives the lease up, and the next turn begins after a
// pause with backoff and jitter. Nothing that happens to the database or to the
// broker makes Run return, only the end of its context does.
//
// Streaming is a loop that owns a [desk.Desk]. The desk decides, without I/O: what is sent
// next, how far the position may go, what is parked. Goroutines beside the loop do what
// may block: one reads the next page, one takes the confirms in the order of sending,
// one fetches parked messages that are due, one sends suspects (see below), and a
// keeper writes the progress, for many messages at once, which renews the lease.
//
// # Shards
//
// A [Crew] runs an engine for each shard that this process holds. Crews that are alive
// (outbox_member) spread the shards evenly and move as few as they can; where there
// are more crews than shards, the others stand by. The shard's lease alone decides who
// publishes. A crew that cannot reach the broker keeps its share, unless a spare stands
// by for the shard.
//
// # Invariants
//
//   - A message is sent only when the one before it of its aggregate is confirmed, so
//     that none overtakes one that is refused. One aggregate alone is therefore as fast
//     as the broker's round trip; different aggregates share the window.
//   - The saved position covers only messages that are confirmed or parked, and what
//     is parked is written by the transaction that moves the position over it.
//   - At most Window messages are sent and not known to the database as confirmed.
//     These are what a crash publishes a second time, with the
//     same message ids. A crash loses nothing and reorders nothing: the
//     repetition begins at an earlier row and goes on in order.
//   - What a tenure did and could not write is written by the engine's next one before
//     anything is sent, unless another relay held the shard in between.
//   - Who cannot renew its lease stops before the lease ends. The one gap that no
//     lease closes: a process that is frozen between looking at its clock and
//     writing to the socket can send what it had in hand after waking up. These
//     too are duplicates under the same ids.
//
// # What the broker refuses
//
// A message that no queue takes, that the broker nacks or that the protocol cannot carry is
// parked with its reason, and the later ones of its aggregate with it; other
// aggregates flow. It is tried again after a pause that doubles, from a second to a
// minute, until it passes; a queue that is bound late is found by that, and the
// first message that it takes makes the others due at once. After RetryFor, or at once where trying
// is no use, a message is dead: kept, its aggregate waiting, until an operator
// retries or discards it.
//
// One bad message can also make the broker end the session, and then the outcome
// of everything in flight is unknown. So what was in flight then is suspect: in the next turn it
// is sent one by one on a throw-away session beside the stream. The message that ends
// that session is alone in it, which names it, and it is parked. Messages to an exchange that has ended a session go the
// same way until one passes; where the exchange does not exist they are parked
// without being sent, but for one a second.
//
// # Messages for later
//
// A message with deliver_at is parked as scheduled when the log comes to it and sent
// when it is due. It keeps no place in its aggregate's order. A replay is the same:
// a published row that is scheduled once more.
package relay
