package reservation

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"go.example/saga/pkg/groupcommit"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
)

// Service places and shows reservations. Safe for concurrent use.
type Service struct {
	db         *pgxpool.Pool
	schema     string
	sagas      *sagapg.Store
	commits    *groupcommit.Group[placing]
	definition atomic.Pointer[saga.Definition]
	gate       *sagapg.Gate // nil lets all in
	name       string
	alone      bool // see WithoutOrchestrator
}

// NewService is the service of that name on a migrated schema; the empty one is public. It
// takes no reservation before [Service.LoadDefinition] has found the saga's definition.
func NewService(db *pgxpool.Pool, schema, name string) *Service {
	s := &Service{db: db, schema: schema, sagas: sagapg.New(schema, name), name: name}
	s.commits = groupcommit.New(s.store)
	return s
}

// Bound makes the service refuse reservations with [sagapg.ErrOverloaded] while more
// than most sagas run; 0 bounds nothing. The log hears when that begins and when it is
// over. It is to be called before the first [Service.Place].
func (s *Service) Bound(most int, log *zap.Logger) {
	if most == 0 {
		return
	}
	s.gate = s.sagas.NewGate(s.db, most)
	s.gate.Changed = func(shut bool) {
		if shut {
			log.Warn("new reservations are refused until sagas have ended", zap.Int("running_allowed", most))
		} else {
			log.Info("new reservations are taken again")
		}
	}
}

// LoadDefinition proves that the service may start sagas, and reads the newest definition of [SagaType] that is stored; new
// sagas follow it until the process ends. The error is [ErrNotReady] as long as
// there is none.
func (s *Service) LoadDefinition(ctx context.Context) (saga.Definition, error) {
	if err := s.sagas.CheckRights(ctx, s.db, sagapg.RightsToStart...); err != nil {
		return saga.Definition{}, fmt.Errorf("start sagas: %w", err)
	}
	def, err := s.sagas.LatestDefinition(ctx, s.db, SagaType)
	if errors.Is(err, sagapg.ErrNoDefinition) {
		return saga.Definition{}, fmt.Errorf("%w: %w", ErrNotReady, err)
	}
	if err != nil {
		return saga.Definition{}, err
	}
	s.definition.Store(&def)
	return def, nil
}

// Get shows one reservation, or [ErrNotFound].
func (s *Service) Get(ctx context.Context, id uuid.UUID) (Reservation, error) {
	var r Reservation
	err := s.db.QueryRow(ctx, s.query("get.sql"), id).
		Scan(&r.ID, &r.HotelID, &r.RoomID, &r.GuestID, &r.Status, &r.FailureReason, &r.Saga)
	if errors.Is(err, pgx.ErrNoRows) {
		return Reservation{}, ErrNotFound
	}
	if err != nil {
		return Reservation{}, fmt.Errorf("read reservation %s: %w", id, err)
	}
	return r, nil
}

func (s *Service) query(file string) string { return sagasql.Query(s.schema, "reservation/"+file) }
