// Package rabbit is the project's only contact with RabbitMQ: a confirming
// publisher for the relay, a batch consumer for the engines, and the topology
// that both rely on.
//
// # Sessions
//
// A [Publisher] and a [Consumer] are one session each: one connection with one
// channel, opened, used and closed. A session that has ended never comes back;
// its owner closes it and opens another, after a pause of its own choosing. The
// client library could reconnect by itself, and that stays off: delivery tags
// start at 1 again on the new channel, so a late ack of an old delivery would
// acknowledge another message that nobody has processed.
//
// Publishing and consuming never share a connection, because a broker that runs
// short of memory or disk stops reading from connections that publish, and the
// acks of a consumer would be stuck behind.
//
// Every dial asks [Config].URL again, so that rotated credentials are picked up,
// and builds its login from that answer alone.
//
// # What a session needs, and what is beside
//
// A consumer needs its queue, a publisher the exchanges that messages go to. These are declared
// when the session opens; where that is forbidden, a passive declaration, which needs no
// permission, has to find them. All else is beside the work: it is looked at when the session
// opens and then every minute, on a channel of its own, what is missing is made, and what is
// amiss is kept in [Remarks]. Bindings are beside, too: in a cluster with a frozen node the
// broker took 45 s to bind what was bound. Only a queue that was not there is bound before it
// is consumed.
//
// A queue that has lost its leader says nothing to its consumers. A consumer looks at
// its queue when deliveries have ceased for 3 s, and once a minute.
//
// # What bounds what
//
//   - connecting and logging in: Config.DialTimeout
//   - opening channels and declaring what the session needs: 10 s
//   - waiting for what is beside: 1 s, or as long as the opening where a queue is new
//   - one write to the network: Config.WriteTimeout. The library looks at no
//     deadline once the socket's buffer is full, so the socket has its own.
//   - what waits for the network: 64 KiB and a frame
//   - silence of the broker: one and a half times Config.Heartbeat
//   - Close: 2 s, then the socket is closed without ceremony
//
// # What a publish can come to
//
// Messages go out persistent and mandatory on a channel in confirm mode. The
// broker answers a message that no queue takes with a return and then with an
// ack, so an ack alone is not delivery: an outcome is taken from both. Returns
// carry no delivery tag and are matched by message id. The library drops a
// return that nobody takes within 5 s; the buffer for them holds a whole window,
// and no more than a window is ever unsettled, so it cannot overflow.
//
//   - nil: stored, and routed to at least one queue
//   - outbox.ErrUnroutable: returned
//   - outbox.ErrNacked: refused, for example by a queue that is full
//   - outbox.ErrUnpublishable: never sent, the protocol cannot carry it
//   - anything else: unknown. The session ended before the confirm came; the
//     message may be in its queue. It is published again under the same id.
//
// One message to an exchange that does not exist makes the broker close the
// channel, and then every unconfirmed message is unknown, the good ones too.
// What can be seen beforehand (a name that is too long, headers that do not fit
// into a frame, headers that RabbitMQ reserves) never reaches the socket. For the
// rest, unknown outcomes and the session's end say outbox.ErrFatal when the
// broker's code means that a message was the cause, and with it
// outbox.ErrNoExchange when its exchange is missing. A lost connection, a broker
// that goes down and an operator who closes the connection never say so.
//
// # Few system calls
//
// The library flushes after each message. Below it a socket takes the bytes over
// and writes in the background: while one write is on its way, the next messages
// gather and leave in one. A lone message finds nothing on its way and leaves at
// once; there is no timer. That takes a quarter off the process's CPU for a
// message. An explicit flush by the caller was measured to bring the same and
// asks for care that this does not.
//
// # What a crash can do
//
// A publisher that dies leaves at most a window of messages that are in their
// queues although nobody heard the confirm. A consumer that dies leaves at most
// its prefetch of deliveries that come again, to it or to another consumer.
// Nothing is lost in either case.
package rabbit
