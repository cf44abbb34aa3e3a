package rabbit

import (
	"errors"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Lost remembers the sessions of consumers that were lost, by queue, for the one that stands in
// for them. It outlives the sessions. It is safe for concurrent use; a nil one remembers nothing.
//
// A cluster takes a consumer for alive whose node is frozen or cut off, until net_ticktime is
// over (45 to 75 s unless set), and deliveries go to it in its turn, where nobody takes them. A queue
// delivers to the consumer of the highest priority that has room, so the one who stands in is
// given everything. Beside other instances it is given more than its share from then on, until its
// prefetch is full.
//
// And while a queue gets a new leader it may accept a consumer and not know it afterwards, which nobody can
// see who counts the dead one. So a session that stands in and gets nothing is opened anew, a few times.
type Lost struct {
	mu     sync.Mutex
	queues map[string]*losses
}

// losses are those at one queue.
type losses struct {
	sessions int32
	// renewed counts the sessions in a row that were given up because nothing was delivered.
	renewed int
}

// renewals are how long sessions in a row wait for their first delivery, in lengths of a silence.
var renewals = []int{1, 1, 2, 4}

var errNothingDelivered = errors.New("nothing was delivered to a session that stands in for a lost one: perhaps its queue does not know it")

// at calls f with what is remembered of the queue.
func (l *Lost) at(queue string, f func(*losses)) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queues == nil {
		l.queues = map[string]*losses{}
	}
	if l.queues[queue] == nil {
		l.queues[queue] = &losses{}
	}
	f(l.queues[queue])
}

// precedence are the arguments of the queue's next consumer.
func (l *Lost) precedence(queue string) (arguments amqp.Table) {
	l.at(queue, func(q *losses) {
		if q.sessions > 0 {
			arguments = amqp.Table{"x-priority": q.sessions}
		}
	})
	return arguments
}

// watch ends a session that stands in and gets nothing, and remembers how it has ended.
// delivered is closed by the first delivery.
func (l *Lost) watch(s *session, queue string, delivered <-chan struct{}) {
	var silence <-chan time.Time
	l.at(queue, func(q *losses) {
		if q.sessions > 0 && q.renewed < len(renewals) {
			silence = time.After(time.Duration(renewals[q.renewed]) * s.cfg.pace.silence)
		}
	})
	select {
	case <-silence:
		s.fail(errNothingDelivered)
	case <-delivered:
	case <-s.done:
	}
	<-s.done
	l.at(queue, func(q *losses) {
		switch {
		case errors.Is(s.err, errNothingDelivered):
			q.sessions++
			q.renewed++
		case errors.Is(s.err, ErrClosed):
		default:
			q.sessions++
			q.renewed = 0
		}
	})
}
