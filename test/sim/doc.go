// Package sim runs sagas through schedules that no test bench would bring about: a
// discrete-event simulation of the orchestrator, the participants, their databases,
// outboxes and relays, the broker between them, and an operator.
//
// The sagas are decided by the real [saga.Start] and [saga.Step], and what a relay sends,
// parks and writes down by a real [desk.Desk]; everything around them is a model in memory, one goroutine a schedule. Whatever is left to chance is
// drawn from one seed as a list of bytes, in which zero is the harmless choice. So a
// failure can be repeated from its seed, and shrunk: decisions are left out and made
// zero as long as the same invariant breaks.
//
// A schedule has two phases. At first messages are late, lost, repeated and
// overtaken, processes die between any two writes, transactions work on stale reads,
// participants refuse and fail, and an operator meddles. Then everything heals, and
// every saga that was not killed has to end.
//
// A second simulator plays a queue, its consumers and the real [blame.State]: the files are
// named inbox.
package sim
