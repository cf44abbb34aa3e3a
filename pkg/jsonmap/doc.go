// Package jsonmap holds a JSON object as a Go value and as a jsonb column, and
// checks any JSON text against what jsonb can hold.
//
// What goes in comes out: a number is kept as its text ([json.Number]), so that
// 9007199254740993 and 0.10 survive. Text that PostgreSQL would refuse, or would
// keep only in part, is refused here, before any statement is sent, with the RFC 6901
// pointer of the value at fault. That matters because an error of the database ends
// the caller's transaction, and says less.
//
// Refused, over and above broken JSON (RFC 8259):
//   - U+0000 in a string, lone surrogates, invalid UTF-8: text columns cannot hold them;
//   - a name that occurs twice in an object: jsonb keeps the last one without a word,
//     other readers the first, and two readers of one message would disagree;
//   - numbers beyond numeric: more than 131072 digits before the decimal point or more
//     than 16383 after it;
//   - more than [MaxDepth] levels.
//
// The order of names and white space carry no meaning and are not kept.
//
// The package has no state, reads no clock and does no I/O.
package jsonmap

// MaxDepth is how many arrays and objects may enclose one another. PostgreSQL's own
// bound depends on max_stack_depth, which the sender does not know; readers in other
// languages stop at a thousand or so.
const MaxDepth = 512
