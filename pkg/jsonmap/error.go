package jsonmap

import "strconv"

// Error says which value jsonb could not hold, and why. The same value is refused
// every time: a retry does not help.
type Error struct {
	// Pointer leads to the value (RFC 6901); empty is the whole text.
	Pointer string
	// Offset is the place in the text, in bytes, -1 where the value came from Go.
	Offset int
	// Reason is a phrase for people. It does not quote the value.
	Reason string
}

// Error implements error.
func (e *Error) Error() string {
	where := strconv.Quote(e.Pointer)
	if e.Offset >= 0 {
		where += " (byte " + strconv.Itoa(e.Offset) + ")"
	}
	return "JSON at " + where + ": " + e.Reason
}
