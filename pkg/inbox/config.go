package inbox

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"go.example/saga/pkg/inbox/quarantine"
	sagasql "go.example/saga/sql"
)

// Handler does the work of a batch inside tx and names the deliveries that can
// never be processed; those go to the quarantine, within the same transaction.
//
// It may be called again with the same deliveries, fewer of them or in other
// company, and with some that were processed before. An error means that nothing
// of this call may stand. The handler neither commits nor rolls back tx. It may be called
// from several goroutines, see [Config.Workers].
type Handler func(ctx context.Context, tx pgx.Tx, deliveries []Delivery) ([]Rejection, error)

// Rejection is a delivery of a batch that the transaction does not carry out: it is set
// aside, or put off.
type Rejection struct {
	// Index is the delivery's place in the batch.
	Index int
	// Later puts the delivery off: nothing was done about it, and a later transaction gets
	// it, before what came after it. A batch that is put off as a whole comes again at once.
	Later bool
	// Code is the kind of reason; empty is [Other].
	Code Code
	// Reason is a sentence for the operator. It must not quote the body.
	Reason string
}

// Code is a kind of reason for which a message is set aside. There are few, because it is a
// label of metrics; docs/operators.md says what to do about each, and package quarantine
// which messages are tried again by themselves.
type Code = quarantine.Code

const (
	// Undecodable messages break a rule of the protocol. They never get better.
	Undecodable = quarantine.Undecodable
	// UnknownSubject is what is about a thing that this database does not have.
	UnknownSubject = quarantine.UnknownSubject
	// Unexpected is what has no place in the past of what it is about.
	Unexpected = quarantine.Unexpected
	// Failing messages are those whose handler fails.
	Failing = quarantine.Failing
	// DeadLetter is what the broker has given up.
	DeadLetter = quarantine.DeadLetter
	// Other is every other reason of a handler.
	Other = quarantine.Other
)

// Config describes a consumer.
type Config struct {
	// Name of the consumer in logs and in inbox_quarantine.consumer.
	Name string
	// DB is where the handler's transactions run.
	DB *pgxpool.Pool
	// Schema holds inbox_quarantine; empty means public.
	Schema string
	// Service is the name that the schema was given when it was migrated. A consumer does
	// not begin on another service's tables.
	Service string
	// Open starts a session with the broker, on a queue of the owner's, which is the Service.
	// Where its sessions are [Returning], what was set aside is tried again by itself.
	Open func(ctx context.Context, owner sagasql.Service) (Source, error)
	// Handle does the work.
	Handle Handler
	// MaxBatch bounds the deliveries of one transaction; 0 means 100. Give the
	// session at least that prefetch.
	MaxBatch int
	// Workers is how many transactions may run side by side; 0 means 1. More than one need
	// a Key, and a connection of DB each.
	Workers int
	// Key names what a delivery belongs to, as its saga or its aggregate. Deliveries of one
	// key are handed out in the order of arrival, and never to two transactions at a time, but for one that failed alone.
	Key func(Delivery) string
	// Work, where set, names what a delivery asks for, if that may be asked for again under
	// another id before it is done; the empty string names nothing. One that comes while the same
	// work has waited, been in hand or been held for longer than the Budget does not wait behind
	// it, but is handed out as [Delivery].Repeated, to one more worker.
	Work func(Delivery) string
	// Cost, where set, is how long the work on a delivery is expected to take, and whether
	// that is certain, because this very delivery was seen to. All workers but one take what
	// costs the Budget or more; the last one takes it where it is not certain, see [OnTrial].
	Cost func(Delivery) (expected time.Duration, certain bool)
	// Budget bounds one transaction by time: it is given deliveries whose costs fit into it.
	// One that costs as much by itself is alone in its transaction. 0 means 500 ms.
	Budget time.Duration
	// Limit is how long the work on one delivery may take; 0 means 30 s. A transaction that
	// takes 30 s longer is cut off.
	Limit time.Duration
	// Patience is for how long a message fails alone, while others commit, before it is set
	// aside; ten times that where no other commits. 0 means a minute.
	Patience time.Duration
	// Retention is how long messages are kept that were set aside and that nobody needs.
	Retention quarantine.Retention
	// Remember is for how long [Once] knows at least what was handled; 0 means 90 days, negative
	// for ever, and less than a day is refused. Let it be longer than an event may lie anywhere:
	// in a queue, in an outbox, until it is due, in the quarantine.
	Remember time.Duration
	// Ready, where set, says what keeps the consumer from taking messages although it could do
	// the work; nil where nothing does. It is asked before each session and twice a second
	// while one is open. An error ends the session in order: what is in hand is finished and
	// acknowledged, if that takes no longer than a second, and the rest goes back to the
	// queue, which then has no consumer until Ready is nil again.
	Ready func(ctx context.Context) error
	// Rights are what the handler's own statements need in the Schema. The consumer begins
	// no session without them, and looks again while it runs.
	Rights []sagasql.Right
	// Report, where set, is told each time that something keeps the consumer from working,
	// and nil when it works; before the first call it has not begun. The error is the broker's where it Is [ErrBroker], else the
	// database's; for want of a right it names the statement that gives it. It Is
	// [ErrCircuitOpen] while messages are given back, and [ErrNotReady] while Ready has an error. A message that fails while others
	// commit is no trouble. It must not block.
	Report func(error)
	// Log receives what an operator should know; never a body.
	Log *zap.Logger

	once *once // see Once
}

const (
	defaultBatch = 100
	// DefaultBudget is that of [Config.Budget].
	DefaultBudget = 500 * time.Millisecond
	// DefaultLimit is that of [Config.Limit].
	DefaultLimit = 30 * time.Second
)

// complete fills in the defaults and names what is missing.
func (c Config) complete() (Config, error) {
	var errs []error
	need := func(ok bool, field string) {
		if !ok {
			errs = append(errs, errors.New("inbox: Config."+field+" is missing"))
		}
	}
	need(c.Name != "", "Name")
	need(c.DB != nil, "DB")
	need(c.Open != nil, "Open")
	need(c.Service != "", "Service")
	need(c.Handle != nil, "Handle")
	if c.once != nil && c.once.consumer != c.Name {
		errs = append(errs, errors.New("inbox: Config.Name is not what it was when Once was called"))
	}
	if c.MaxBatch < 0 {
		errs = append(errs, errors.New("inbox: Config.MaxBatch is negative"))
	}
	if c.MaxBatch == 0 {
		c.MaxBatch = defaultBatch
	}
	if c.Workers < 0 || c.Budget < 0 || c.Limit < 0 || c.Patience < 0 {
		errs = append(errs, errors.New("inbox: Config.Workers, Config.Budget, Config.Limit or Config.Patience is negative"))
	}
	need(c.Workers <= 1 || c.Key != nil, "Key")
	c.Workers = cmp.Or(c.Workers, 1)
	c.Budget = cmp.Or(c.Budget, DefaultBudget)
	c.Limit = cmp.Or(c.Limit, DefaultLimit)
	if c.Ready == nil {
		c.Ready = func(context.Context) error { return nil }
	}
	if c.Report == nil {
		c.Report = func(error) {}
	}
	c.Rights = slices.Concat(Rights, c.Rights)
	c.Remember = cmp.Or(c.Remember, DefaultRemember)
	if c.once != nil {
		c.Rights = slices.Concat(c.Rights, RightsOnce)
		if c.Remember > 0 && c.Remember < MinRemember {
			errs = append(errs, errors.New("inbox: Config.Remember is less than a day; it may be 0 for the default, or negative for ever"))
		}
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	c.Log = c.Log.With(zap.String("consumer", c.Name))
	return c, errors.Join(errs...)
}
