package testenv

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"go.example/saga/internal/dev/services"
)

// batch is how many virtual hosts are made at first, and how many more at each further
// time: a call of rabbitmqctl takes up to two seconds, a virtual host in it a few
// hundredths. A process that has taken many will take more. Not more than largest, for
// spent ones are deleted only with the next batch.
const (
	batch   = 4
	largest = 12
)

// Vhost is the AMQP URL of a fresh virtual host. It is deleted some time after the
// test has ended, with others in one call.
func Vhost(t testing.TB) string {
	t.Helper()
	broker := servers(t).Broker
	name, err := vhosts.take(broker)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { vhosts.giveBack(name) })
	return broker.Vhost(name)
}

var vhosts vhostStock

// vhostStock hands out virtual hosts from batches.
type vhostStock struct {
	mu    sync.Mutex
	size  int      // of the last batch
	made  []string // all of this process that exist
	ready []string // those not handed out yet
	spent []string // those whose test has ended
}

// giveBack has the virtual host deleted with the next batch: a broker that may open
// 1024 files has room for some 300 quorum queues, and then accepts no login.
func (s *vhostStock) giveBack(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spent = append(s.spent, name)
}

func (s *vhostStock) take(broker services.Broker) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ready) == 0 {
		if err := s.refill(broker); err != nil {
			return "", err
		}
	}
	name := s.ready[0]
	s.ready = s.ready[1:]
	return name, nil
}

// refill makes a batch; the first one also removes what killed runs left.
func (s *vhostStock) refill(broker services.Broker) error {
	ctx, cancel := context.WithTimeout(context.Background(), adminTime)
	defer cancel()
	s.size = min(s.size+batch, largest)
	names := make([]string, s.size)
	for i := range names {
		names[i] = newName()
	}
	present, err := broker.ChangeVhosts(ctx, names, s.spent)
	if err != nil {
		return err
	}
	first := s.made == nil
	s.made = slices.DeleteFunc(s.made, func(name string) bool { return slices.Contains(s.spent, name) })
	s.made, s.ready, s.spent = append(s.made, names...), names, nil
	if old := stale(present, time.Now()); first && len(old) > 0 {
		_, err = broker.ChangeVhosts(ctx, nil, old)
	}
	return err
}

func (s *vhostStock) delete(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made == nil {
		return nil
	}
	set, err := located()
	if err != nil {
		return err
	}
	_, err = set.Broker.ChangeVhosts(ctx, nil, s.made)
	return err
}
