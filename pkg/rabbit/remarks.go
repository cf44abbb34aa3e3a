package rabbit

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"

	"go.example/saga/internal/address"
)

// Remarks keeps what is amiss with what sessions can do without: exchanges and queues that take
// what is left over, and bindings. It outlives the sessions, and all of a program may share it.
// It is safe for concurrent use; of a nil one nothing is kept.
type Remarks struct {
	// Log is told once of what is amiss, and again when that changes.
	Log *zap.Logger

	mu  sync.Mutex
	all map[string]error
}

// Remark is what is amiss with one object of the broker.
type Remark struct {
	Object string // as "queue saga.unheard"
	// Problem is one of differs, missing, refused, unanswered and failed.
	Problem string
	Err     error
}

// All are those at present, by object.
func (r *Remarks) All() []Remark {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []Remark
	for _, name := range slices.SortedFunc(maps.Keys(r.all), cmp.Compare[string]) {
		list = append(list, Remark{name, problem(r.all[name]), r.all[name]})
	}
	return list
}

// problem is the kind of it, of which there are few.
func problem(err error) string {
	switch {
	case errors.Is(err, ErrDrift):
		return "differs"
	case errors.Is(err, ErrMissing), repliedWith(err, amqp.NotFound):
		return "missing"
	case errors.Is(err, ErrUnanswered):
		return "unanswered"
	case repliedWith(err, amqp.AccessRefused):
		return "refused"
	}
	return "failed"
}

// note keeps how an object is; nil is well.
func (r *Remarks) note(object string, err error) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.all[object]
	if r.all == nil {
		r.all = map[string]error{}
	}
	if err == nil {
		delete(r.all, object)
	} else {
		err = address.ScrubError(err)
		r.all[object] = err
	}
	switch {
	case r.Log == nil:
	case err != nil && (was == nil || was.Error() != err.Error()):
		r.Log.Warn("something is amiss on the broker; messages go on without it", zap.String("object", object), zap.Error(err))
	case err == nil && was != nil:
		r.Log.Info("what was amiss on the broker is well again", zap.String("object", object))
	}
}

// of is what is amiss with an object.
func (r *Remarks) of(object string) error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[object]
}
