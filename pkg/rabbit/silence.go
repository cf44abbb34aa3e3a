package rabbit

import (
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// doubts are how many looks in a row have to find that a queue knows no consumer. A busy queue
// that does not answer the broker within a quarter of a second looks the same.
const doubts = 4

// heed ends the session when deliveries have ceased for a reason that the broker does not tell:
// it looks at the queue when it has begun, after each run of deliveries, once while all is well, and now and then.
// A queue without a leader, as one that has lost most of its nodes, keeps its consumers
// waiting for ever: it accepts no acknowledgement and says nothing. A passive declaration
// then counts no consumer, or has no answer.
func (c *Consumer) heed(s *session, queue string) {
	looking := &asker{link: s.link}
	// Soon at first: while a queue gets a new leader it may accept a consumer, and not know it
	// afterwards.
	pause, doubtful := s.cfg.pace.silence/(doubts-1), 0
	for {
		timer := time.NewTimer(pause)
		select {
		case <-s.done:
			timer.Stop()
			return
		case <-c.stirred:
			timer.Stop()
			pause, doubtful = s.cfg.pace.silence, 0
			continue
		case <-timer.C:
		}
		consumed, err := s.isConsumed(looking, queue)
		switch {
		case s.link.IsClosed():
			return
		case err != nil:
			s.fail(err)
			return
		case consumed:
			pause, doubtful = s.cfg.pace.round, 0
			continue
		}
		pause = s.cfg.pace.silence / (doubts - 1)
		if doubtful++; doubtful == doubts {
			s.fail(fmt.Errorf("queue %q does not know its consumer any more: it is unavailable, perhaps too few of its nodes are left", queue))
			return
		}
	}
}

// isConsumed asks the broker, and ends the session where that takes too long.
func (s *session) isConsumed(a *asker, queue string) (bool, error) {
	late := time.AfterFunc(s.cfg.pace.answer, func() {
		s.fail(fmt.Errorf("%w within %s to a question about queue %q", ErrUnanswered, s.cfg.pace.answer, queue))
	})
	defer late.Stop()
	consumers := 0
	err := a.ask(func(c *amqp.Channel) error {
		found, err := c.QueueDeclarePassive(queue, true, false, false, false, nil)
		consumers = found.Consumers
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look at queue %q, which has fallen silent: %w", queue, err)
	}
	return consumers > 0, nil
}
