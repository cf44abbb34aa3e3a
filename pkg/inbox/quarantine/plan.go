package quarantine

import "time"

// Code is a kind of reason for which a message is set aside. There are few, because it is a
// label of metrics; docs/operators.md says what to do about each.
type Code string

// The codes. Package inbox says what each means.
const (
	Undecodable    Code = "undecodable"
	UnknownSubject Code = "unknown"
	Unexpected     Code = "unexpected"
	Failing        Code = "failing"
	DeadLetter     Code = "dead-letter"
	Other          Code = "other"
)

// Codes are all of them.
var Codes = []Code{Undecodable, UnknownSubject, Unexpected, Failing, DeadLetter, Other}

const (
	// FirstPause is the time until a message that was set aside is tried again. Each pause
	// is twice the one before, up to LongestPause.
	FirstPause   = time.Minute
	LongestPause = time.Hour
	// Lifetime is for how long a message is tried again by itself.
	Lifetime = 24 * time.Hour
)

// Verdict is what becomes of a message that has just been set aside.
type Verdict struct {
	// Dead: it is not tried again by itself.
	Dead bool
	// Pause is the time until its next try, where it is not dead.
	Pause time.Duration
}

// Judge is the rule in the package's documentation. A message is named if it has a message
// id; tries is how often it was tried again so far, and age the time since it was set aside
// first, by the clock of the database. Where that clock was set back, the pauses so far
// count: they add up to the Lifetime, too.
func Judge(code Code, named bool, tries int, age time.Duration) Verdict {
	if code == Undecodable || !named {
		return Verdict{Dead: true}
	}
	pause, waited := FirstPause, time.Duration(0)
	for ; tries > 0 && waited < Lifetime; tries-- {
		waited += pause
		pause = min(2*pause, LongestPause)
	}
	left := Lifetime - max(age, waited)
	if left <= 0 {
		return Verdict{Dead: true}
	}
	return Verdict{Pause: min(pause, left)}
}
