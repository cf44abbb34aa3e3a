package relay

import "errors"

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

func databaseFault(err error) error { return &fault{DatabaseDown, err} }
func brokerFault(err error) error   { return &fault{BrokerDown, err} }

// stateOf is the state that an error puts the engine in.
func stateOf(err error) State {
	var f *fault
	if errors.As(err, &f) {
		return f.state
	}
	return DatabaseDown
}
