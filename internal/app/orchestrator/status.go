package orchestrator

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"go.example/saga/internal/app"
	"go.example/saga/internal/app/tasks"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/outbox/outboxpg"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
)

const (
	// statusTimeout bounds the look at the database and at the broker.
	statusTimeout = 5 * time.Second
	// quarantineBound is as far as the quarantine is counted.
	quarantineBound = 100_000
	// overdueAllowed is how late a timer may be: orchestrators sweep at least every half second.
	overdueAllowed = 5 * time.Second
)

// What Status says of the database.
const (
	StateActive         = "active"          // it can be worked on, and timers fire
	StateOverdue        = "overdue"         // timers do not fire: see the daemon's log
	StateNoOrchestrator = "no orchestrator" // nobody consumes the replies
	StateNoRights       = "no rights"       // the role lacks some; the error has the statements that give them
	StateNoTables       = "no tables"       // `orchestrator migrate` has not been run
	StateNoService      = "no service"      // it was run without SERVICE
	StateOtherService   = "other service"   // SERVICE is not the one that the tables belong to
	StateUnreachable    = "unreachable"     // the database does not answer, or refuses
)

// Words for a broker that can be used, and one that was not asked.
const (
	BrokerReachable = "reachable"
	BrokerUnknown   = "unknown"
)

// SagaCount is how many sagas of a type have a status; paused ones have PAUSED.
type SagaCount struct {
	Type   string `json:"type"`
	Status string `json:"status"`
	Count  int    `json:"count"`
}

// OutboxStatus is how far the relay is with a shard of the database's outbox.
type OutboxStatus struct {
	Shard         int    `json:"shard"`
	Holder        string `json:"holder"` // the relay; empty when none serves the shard
	Pending       int64  `json:"pending"`
	OldestSeconds int64  `json:"oldestSeconds"`
	LastError     string `json:"lastError"`
}

// QueueStatus is what the broker says of a queue that exists.
type QueueStatus struct {
	Name      string `json:"name"`
	Messages  int    `json:"messages"`
	Consumers int    `json:"consumers"`
}

// Status is what `orchestrator status` shows. It asks the database and the broker, not
// the daemon, so that it also works where none runs.
type Status struct {
	Database  string      `json:"database"`
	Service   string      `json:"service"`
	State     string      `json:"state"`
	LastError string      `json:"lastError"`
	Sagas     []SagaCount `json:"sagas"` // those that have not ended
	// UnknownPlans are those of sagas that this program cannot follow, which stand still.
	UnknownPlans []string `json:"unknownPlans"`
	// OverdueSeconds is for how long the most overdue timer has waited.
	OverdueSeconds int64 `json:"overdueSeconds"`
	// Quarantined counts the messages that a consumer of this database has set aside.
	Quarantined int `json:"quarantined"`
	// Outbox is empty where it cannot be looked at; OutboxError says why.
	Outbox      []OutboxStatus `json:"outbox"`
	OutboxError string         `json:"outboxError"`
	// Broker is "reachable", "unknown" where no AMQP_URL is set, or the reason why
	// it cannot be used.
	Broker string `json:"broker"`
	// Queues are that of the replies, and those of the commands of the plans in use,
	// as far as they exist.
	Queues []QueueStatus `json:"queues"`
}

// Count is how many sagas have the status.
func (s Status) Count(status saga.Status) (n int) {
	for _, c := range s.Sagas {
		if c.Status == string(status) {
			n += c.Count
		}
	}
	return n
}

// OK says whether everything is reachable and served, nothing stands still and no saga
// waits for an operator.
func (s Status) OK() bool {
	ok := s.State == StateActive && s.Count(saga.StatusParked) == 0 && len(s.UnknownPlans) == 0 &&
		(s.Broker == BrokerReachable || s.Broker == BrokerUnknown)
	for _, shard := range s.Outbox {
		ok = ok && shard.Holder != "" && shard.LastError == ""
	}
	for _, queue := range s.Queues {
		ok = ok && queue.Consumers > 0
	}
	return ok
}

// ReadStatus looks at the database and the broker.
func ReadStatus(ctx context.Context, s Settings) (Status, error) {
	pool, err := app.OpenPool(ctx, s.DatabaseAddress, name+"-status", 2)
	if err != nil {
		return Status{}, err
	}
	defer app.ClosePools(pool)
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	status := Status{
		Database: pool.Config().ConnConfig.Database, State: StateActive,
		Sagas: []SagaCount{}, UnknownPlans: []string{}, Outbox: []OutboxStatus{}, Broker: BrokerUnknown, Queues: []QueueStatus{},
	}
	var looks sync.WaitGroup
	looks.Go(func() { status.readOutbox(ctx, outboxpg.New(pool, s.DatabaseSchema)) })
	queues, err := status.readSagas(ctx, pool, s)
	looks.Wait()
	if err != nil {
		status.State, status.LastError = stateOf(err), err.Error()
	}
	if s.RequireBroker() == nil {
		status.readBroker(ctx, s, queues)
	}
	return status, nil
}

// stateOf words why the sagas cannot be looked at.
func stateOf(err error) string {
	switch {
	case errors.Is(err, sagasql.ErrNoService):
		return StateNoService
	case errors.Is(err, sagasql.ErrOtherService):
		return StateOtherService
	}
	switch matter, _ := tasks.Matter(err); matter {
	case tasks.Rights:
		return StateNoRights
	case tasks.Tables:
		return StateNoTables
	}
	return StateUnreachable
}

// readSagas looks at the sagas as the daemon's role, with the rights that the daemon needs.
// It returns the queues of the replies and of the commands of the plans in use.
func (s *Status) readSagas(ctx context.Context, pool *pgxpool.Pool, settings Settings) (queues []string, err error) {
	store := sagapg.New(settings.DatabaseSchema, "")
	tx, err := sagapg.Begin(ctx, pool)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // it only reads
	if err := store.CheckRights(ctx, tx, slices.Concat(settings.rights(), inbox.Rights)...); err != nil {
		return nil, err
	}
	service, err := sagasql.LoadService(ctx, tx, settings.DatabaseSchema, settings.Service)
	if err != nil {
		return nil, err
	}
	s.Service = service.Name
	queues = append(queues, protocol.ReplyQueue(service.Name))
	if err := s.countSagas(ctx, tx, store); err != nil {
		return nil, err
	}
	count := sagasql.Query(settings.DatabaseSchema, "inbox/quarantined.sql")
	if err := tx.QueryRow(ctx, count, quarantineBound).Scan(&s.Quarantined); err != nil {
		return nil, err
	}
	plans, unknown, err := store.CheckDefinitions(ctx, tx)
	for _, plan := range unknown {
		s.UnknownPlans = append(s.UnknownPlans, plan.String())
	}
	for _, plan := range plans {
		for _, step := range plan.Steps {
			if step.Destination != "" {
				queues = append(queues, protocol.CommandQueue(step.Destination))
			}
		}
	}
	return queues, err
}

func (s *Status) countSagas(ctx context.Context, tx pgx.Tx, store *sagapg.Store) error {
	census, err := store.Census(ctx, tx)
	for _, c := range census {
		status := string(c.Status)
		if c.Paused {
			status = statusPaused
		}
		s.Sagas = append(s.Sagas, SagaCount{Type: c.Type, Status: status, Count: c.Count})
		s.OverdueSeconds = max(s.OverdueSeconds, int64(c.Overdue.Seconds()))
	}
	if s.OverdueSeconds > int64(overdueAllowed.Seconds()) {
		s.State = StateOverdue
		s.LastError = "timers do not fire: no orchestrator keeps up; see the log and /readyz of those that run"
	}
	return err
}

// readOutbox looks whether the messages of the database are published.
func (s *Status) readOutbox(ctx context.Context, log *outboxpg.Log) {
	lags, err := log.Lag(ctx)
	if err != nil {
		s.OutboxError = err.Error()
		if errors.Is(err, outboxpg.ErrNotInstalled) {
			s.OutboxError = "no relay has prepared this database: " + s.OutboxError
		}
		return
	}
	for _, lag := range lags {
		s.Outbox = append(s.Outbox, OutboxStatus{
			Shard: lag.Shard, Holder: lag.Holder, Pending: lag.Pending,
			OldestSeconds: int64(lag.OldestAge.Seconds()), LastError: lag.LastError,
		})
	}
}

// readBroker looks at the queues. The replies have a consumer where an orchestrator runs.
func (s *Status) readBroker(ctx context.Context, settings Settings, queues []string) {
	found, err := rabbit.Inspect(ctx, app.Broker(settings.Broker, name+"-status"), unique(queues)...)
	if err != nil {
		s.Broker = err.Error()
		return
	}
	s.Broker = BrokerReachable
	for _, queue := range found {
		if queue.Exists {
			s.Queues = append(s.Queues, QueueStatus{Name: queue.Name, Messages: queue.Messages, Consumers: queue.Consumers})
		}
	}
	if s.State == StateActive && found[0].Consumers == 0 {
		s.State = StateNoOrchestrator
	}
}

// unique leaves out what came before, and keeps the order.
func unique(all []string) []string {
	seen := map[string]bool{}
	var kept []string
	for _, one := range all {
		if !seen[one] {
			seen[one] = true
			kept = append(kept, one)
		}
	}
	return kept
}
