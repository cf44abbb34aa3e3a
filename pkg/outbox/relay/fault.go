package relay

import (
	"errors"

	"go.example/saga/pkg/outbox/outboxpg"
)

var (
	errNoConfirm = errors.New("the broker has confirmed nothing for too long")
	errGrace     = errors.New("the grace period is over")
	errLeaseOver = errors.New("the lease could not be renewed in time")
	errNotSent   = errors.New("not sent: the relay stops")
)

// fault is an error with the state that it puts the engine in.
type fault struct {
	state State
	err   error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// databaseFault tells a right that is missing and an error that the database answers with
// from a database that does not answer.
func databaseFault(err error) error {
	switch {
	case outboxpg.LacksRights(err):
		return &fault{NoRights, err}
	case outboxpg.Refused(err):
		return &fault{DatabaseError, err}
	}
	return &fault{DatabaseDown, err}
}

func brokerFault(err error) error { return &fault{BrokerDown, err} }

// stateOf is the state that an error puts the engine in.
func stateOf(err error) State {
	var f *fault
	if errors.As(err, &f) {
		return f.state
	}
	return stateOf(databaseFault(err))
}
