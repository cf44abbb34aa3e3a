package sagayaml

import (
	"time"

	"go.example/saga/pkg/saga"
)

// Defaults of what a definition may leave out. A compensation and a confirmation are
// given far more patience than a request: they have to succeed in the end. A participant
// that cannot work and says so is waited for longer than most repairs take.
var (
	DefaultRequest = saga.Policy{
		Timeout:  30 * time.Second,
		RetryFor: time.Hour,
		Retry:    saga.Retry{Initial: time.Second, Factor: 2, Max: 30 * time.Second, Jitter: 0.2, Attempts: 5},
	}
	DefaultCancel = saga.Policy{
		Timeout:  30 * time.Second,
		RetryFor: 24 * time.Hour,
		Retry:    saga.Retry{Initial: time.Second, Factor: 2, Max: 5 * time.Minute, Jitter: 0.2, Attempts: 20},
	}
	DefaultConfirm = DefaultCancel
)
