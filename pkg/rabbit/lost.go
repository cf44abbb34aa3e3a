package rabbit

import (
	"errors"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Lost counts the sessions of consumers that were lost, by queue, so that the next one has
// precedence over them. It outlives the sessions. It is safe for concurrent use; a nil one counts
// nothing.
//
// A cluster takes a consumer for alive whose node is frozen or cut off, until net_ticktime is
// over (45 to 75 s unless set), and deliveries go to it in its turn, where nobody takes them. A queue
// delivers to the consumer of the highest priority that has room, so the one who stands in for a
// lost session is given everything. Beside other instances it is given more than its share from then
// on, until its prefetch is full.
type Lost struct {
	mu       sync.Mutex
	sessions map[string]int32
}

func (l *Lost) add(queue string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sessions == nil {
		l.sessions = map[string]int32{}
	}
	l.sessions[queue]++
}

// precedence are the arguments of the queue's next consumer.
func (l *Lost) precedence(queue string) amqp.Table {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.sessions[queue]; n > 0 {
		return amqp.Table{"x-priority": n}
	}
	return nil
}

// count waits for the session's end, and counts it where its owner has not closed it.
func (l *Lost) count(s *session, queue string) {
	<-s.done
	if !errors.Is(s.reason(), ErrClosed) {
		l.add(queue)
	}
}
