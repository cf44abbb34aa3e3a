package contender

import (
	"context"
	"sync"

	sagasql "go.example/saga/sql"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"go.example/saga/bench/saga/internal/booking"
	"go.example/saga/internal/sample/reservation"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
)

// servicePrefetch is as the reservation service has it.
const servicePrefetch = 200

// service is the sample's reservation service without its HTTP interface: it starts
// a saga in the transaction of the reservation, and gives the reservation its end in
// the transaction that hears of the saga's. The order has ended when that is
// committed.
type service struct {
	*reservation.Service
	endings *endings
}

func openSystem(ctx context.Context, job Job) (place, func(), error) {
	pool, err := newPool(ctx, job.Databases.Reservation, poolSize, map[string]string{ // as the service has it
		"plan_cache_mode": "force_generic_plan", "max_parallel_workers_per_gather": "0",
	})
	if err != nil {
		return nil, nil, err
	}
	s := &service{Service: reservation.NewService(pool, "", "reservation"), endings: newEndings()}
	if _, err := s.LoadDefinition(ctx); err != nil {
		pool.Close()
		return nil, nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	closed := s.listen(ctx, pool, job.AMQP)
	return s.place, func() {
		stop()
		<-closed
		pool.Close()
	}, nil
}

// listen hears of the ends of sagas until ctx is done, and returns once it can.
func (s *service) listen(ctx context.Context, pool *pgxpool.Pool, url string) (closed <-chan struct{}) {
	listening, ended := make(chan struct{}), make(chan struct{})
	var once sync.Once
	broker := rabbit.Config{Name: "reservation", URL: func(context.Context) (string, error) { return url, nil }}
	events := inbox.Config{
		Name: "reservation", Service: "reservation", DB: pool, Handle: s.Listen(zap.NewNop()),
		Open: func(ctx context.Context, owner sagasql.Service) (inbox.Source, error) {
			events := protocol.EventQueue(owner.Name)
			source, err := rabbit.OpenConsumer(ctx, broker,
				rabbit.EventTopology(owner, events, reservation.EventKey(owner.Name)), events, servicePrefetch)
			if err != nil {
				return nil, err
			}
			return heard{source, s.endings}, nil
		},
		Report: func(err error) {
			if err == nil {
				once.Do(func() { close(listening) })
			}
		},
	}
	go func() {
		defer close(ended)
		_ = inbox.Run(ctx, events) // fails for a wrong configuration only, and then nothing ever ends
	}()
	<-listening
	return ended
}

func (s *service) place(ctx context.Context, o booking.Order) (end, error) {
	request, err := o.Request()
	if err != nil {
		return nil, err
	}
	placed, err := s.Place(ctx, request, "")
	if err != nil {
		return nil, err
	}
	return s.endings.of(placed.ID.String()), nil
}

// heard tells of the ends that were heard of and committed.
type heard struct {
	inbox.Source
	endings *endings
}

// Receive implements [inbox.Source].
func (h heard) Receive(ctx context.Context, most int) (inbox.Batch, error) {
	batch, err := h.Source.Receive(ctx, most)
	if err != nil {
		return nil, err
	}
	return told{batch, h.endings}, nil
}

type told struct {
	inbox.Batch
	endings *endings
}

// Ack implements [inbox.Batch]. It is called after the commit.
func (t told) Ack() error {
	for _, d := range t.Deliveries() {
		t.tell(d)
	}
	return t.Batch.Ack()
}

// AckOnly implements [inbox.Batch].
func (t told) AckOnly(place int) error {
	t.tell(t.Deliveries()[place])
	return t.Batch.AckOnly(place)
}

func (t told) tell(d inbox.Delivery) {
	if event, err := protocol.DecodeEvent(d); err == nil { // else it was set aside
		t.endings.end(event.BusinessKey)
	}
}
