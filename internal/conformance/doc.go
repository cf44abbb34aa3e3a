// Package conformance says what is asked of a participant that is checked against
// docs/protocol.md, and judges what it answered: [Checks] are data, and [Judge] is a function
// of what was sent and what came. It sends nothing; package run does, by the broker or by
// HTTP, with one list of checks for both.
package conformance
