package inbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/inbox/quarantine"
	sagasql "go.example/saga/sql"
)

// queue behaves as a broker's queue does towards this package: it delivers in
// order, keeps what is not acknowledged, and delivers it again after the session.
type queue struct {
	mu       sync.Mutex
	ready    []inbox.Delivery
	arrived  chan struct{}
	openErr  error
	lost     bool
	single   bool    // each delivery comes by itself
	ackErrs  []error // one for each Ack to come
	sessions int
	trickle  bool // one delivery comes after another
	acked    []inbox.Delivery
	// refused is what the broker says of each message that is put back, if it says something;
	// back is told of one that it has taken, before that is marked.
	refused error
	back    func()
}

func (q *queue) setRefused(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refused = err
}

// PutBack implements [quarantine.Broker].
func (q *queue) PutBack(_ context.Context, m quarantine.Original) error {
	var properties, headers map[string]string
	if err := errors.Join(json.Unmarshal(m.Properties, &properties), json.Unmarshal(m.Headers, &headers)); err != nil {
		return err
	}
	q.mu.Lock()
	err, back := q.refused, q.back
	q.mu.Unlock()
	if err != nil {
		return err
	}
	q.put(inbox.Delivery{
		MessageID: properties["message_id"], ContentType: properties["content_type"], Headers: headers, RoutingKey: "k", Body: m.Body,
	})
	if back != nil {
		back()
	}
	return nil
}

// Close implements [quarantine.Session].
func (q *queue) Close() error { return nil }

// Return implements [inbox.Returning].
func (s *session) Return(context.Context) (quarantine.Session, error) { return s.queue, nil }

func newQueue(deliveries ...inbox.Delivery) *queue {
	q := &queue{arrived: make(chan struct{}, 1)}
	q.put(deliveries...)
	return q
}

func (q *queue) put(deliveries ...inbox.Delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ready = append(q.ready, deliveries...)
	q.notify()
}

func (q *queue) notify() {
	select {
	case q.arrived <- struct{}{}:
	default:
	}
}

func (q *queue) open(context.Context, sagasql.Service) (inbox.Source, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.openErr != nil {
		return nil, q.openErr
	}
	q.sessions++
	q.notify()
	return &session{queue: q}, nil
}

func (q *queue) setOpenErr(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.openErr = err
}

// lose ends the session that is open.
func (q *queue) lose() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lost = true
	q.notify()
}

// counts are the sessions so far and the deliveries acknowledged.
func (q *queue) counts() (sessions, acked int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sessions, len(q.acked)
}

// depth is how many deliveries nobody has in hand.
func (q *queue) depth() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ready)
}

type session struct {
	queue   *queue
	unacked []unacked
}

type unacked struct {
	batch *batch
	place int
}

func (s *session) Receive(ctx context.Context, max int) (inbox.Batch, error) {
	for {
		b, err := s.take(max)
		if err != nil {
			return nil, err
		}
		if b != nil {
			return b, nil
		}
		select {
		case <-s.queue.arrived:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *session) take(max int) (inbox.Batch, error) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	if s.queue.lost {
		s.queue.lost = false
		return nil, errors.New("the connection is lost")
	}
	if s.queue.single {
		max = 1
	}
	n := min(max, len(s.queue.ready))
	if n == 0 {
		return nil, nil
	}
	if s.queue.trickle {
		n = 1
	}
	taken := s.queue.ready[:n:n]
	s.queue.ready = s.queue.ready[n:]
	b := &batch{s, taken}
	for place := range taken {
		s.unacked = append(s.unacked, unacked{b, place})
	}
	return b, nil
}

func (s *session) Close() error {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	var back []inbox.Delivery
	for _, u := range s.unacked {
		d := u.batch.deliveries[u.place]
		d.Redelivered = true
		back = append(back, d)
	}
	s.queue.ready = append(back, s.queue.ready...)
	s.unacked = nil
	s.queue.notify()
	return nil
}

type batch struct {
	session    *session
	deliveries []inbox.Delivery
}

func (b *batch) Deliveries() []inbox.Delivery { return b.deliveries }

func (b *batch) Ack() error {
	q := b.session.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.ackErrs) > 0 {
		err := q.ackErrs[0]
		q.ackErrs = q.ackErrs[1:]
		if err != nil {
			return err
		}
	}
	for place := range b.deliveries {
		if err := b.ack(place); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) AckOnly(place int) error {
	b.session.queue.mu.Lock()
	defer b.session.queue.mu.Unlock()
	return b.ack(place)
}

func (b *batch) ack(place int) error {
	i := slices.IndexFunc(b.session.unacked, func(u unacked) bool { return u.batch == b && u.place == place })
	if i < 0 {
		return errors.New("acknowledged something else than what was received")
	}
	b.session.unacked = slices.Delete(b.session.unacked, i, i+1)
	b.session.queue.acked = append(b.session.queue.acked, b.deliveries[place])
	return nil
}
