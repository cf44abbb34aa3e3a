package inbox_test

import (
	"context"
	"errors"
	"sync"

	"go.example/saga/pkg/inbox"
)

// queue behaves as a broker's queue does towards this package: it delivers in
// order, keeps what is not acknowledged, and delivers it again after the session.
type queue struct {
	mu       sync.Mutex
	ready    []inbox.Delivery
	arrived  chan struct{}
	openErr  error
	ackErrs  []error // one for each Ack to come
	sessions int
	acked    []inbox.Delivery
}

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

func (q *queue) open(context.Context) (inbox.Source, error) {
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

// counts are the sessions so far and the deliveries acknowledged.
func (q *queue) counts() (sessions, acked int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sessions, len(q.acked)
}

type session struct {
	queue   *queue
	unacked []inbox.Delivery
}

func (s *session) Receive(ctx context.Context, max int) (inbox.Batch, error) {
	for {
		if b := s.take(max); b != nil {
			return b, nil
		}
		select {
		case <-s.queue.arrived:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *session) take(max int) inbox.Batch {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	n := min(max, len(s.queue.ready))
	if n == 0 {
		return nil
	}
	taken := s.queue.ready[:n:n]
	s.queue.ready = s.queue.ready[n:]
	s.unacked = append(s.unacked, taken...)
	return &batch{s, taken}
}

func (s *session) Close() error {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	for i := range s.unacked {
		s.unacked[i].Redelivered = true
	}
	s.queue.ready = append(s.unacked, s.queue.ready...)
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
	if len(b.session.unacked) != len(b.deliveries) {
		return errors.New("acknowledged something else than what was received")
	}
	b.session.unacked = nil
	q.acked = append(q.acked, b.deliveries...)
	return nil
}
