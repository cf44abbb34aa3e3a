package quarantine

import (
	"time"

	"go.example/saga/pkg/inbox/blame"
)

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

// Judge is the rule in the package's documentation. A message is named if it has a message id.
func Judge(code Code, named bool, tries int, age time.Duration) blame.NextTry {
	return blame.Plan(code == Undecodable || !named, tries, age)
}
