// Package protocol turns sagas' commands, replies and events into messages and
// back. It is pure: no clock, no random source, no I/O. docs/protocol.md says the
// same for programs in other languages.
//
// A message is an AMQP message whose application headers are CloudEvents 1.0
// attributes (all strings of at most 255 bytes) and whose body is the business
// JSON alone. Four kinds exist:
//
//   - A command asks a participant for an operation of one step: exchange
//     [ExchangeCommands], routing key the step's destination.
//   - A reply answers a command: default exchange, routing key the command's
//     reply_to. It repeats the command's saga headers and adds the outcome.
//   - An instruction has the orchestrator start a saga, or tells a saga what a signal step waits
//     for: default exchange, routing key [ReplyQueue] of the saga's service.
//   - An event tells that a saga has ended or was parked: exchange
//     [ExchangeEvents], routing key "<saga type>.<completed|aborted|parked|killed>".
//
// Ids are derived (UUIDv5), never drawn. Deciding the same thing twice, after a
// crash or by two instances, makes the same message with the same id, and a
// receiver can tell the copy.
//
// What comes from the broker may have been written by anybody. Decoding is
// total: it returns a value that satisfies every rule of this protocol or a
// [*DecodeError], and never panics. In particular every string that it lets
// through can be stored in PostgreSQL.
package protocol
