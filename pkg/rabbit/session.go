package rabbit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// setupTimeout bounds what follows the login: opening channels, declaring.
	setupTimeout = 10 * time.Second
	// closeTimeout bounds the farewell; after it the socket is closed.
	closeTimeout = 2 * time.Second
)

// session is one connection with one channel from open to end. It ends once:
// by its owner, by the broker, or by an error on the way.
type session struct {
	cfg     Config
	link    *link
	channel *amqp.Channel
	done    chan struct{}
	end     sync.Once
	err     error // written before done is closed
	// background are the goroutines that live as long as the session.
	background sync.WaitGroup
	// keeper sees to what is beside; nil where there is nothing.
	keeper *keeper
}

// open dials and runs setup, which may declare and configure.
func open(ctx context.Context, cfg Config, setup func(*session) error) (*session, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	link, err := dial(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &session{cfg: cfg, link: link, done: make(chan struct{})}
	ctx, cancel := context.WithTimeoutCause(ctx, setupTimeout,
		fmt.Errorf("%w: no answer within %s", ErrUnreachable, setupTimeout))
	defer cancel()
	err = link.within(ctx, func() error {
		if s.channel, err = link.Channel(); err != nil {
			return fmt.Errorf("open a channel: %w", err)
		}
		s.watch()
		return setup(s)
	})
	if err != nil {
		_ = s.close()
		return nil, setupError(err)
	}
	return s, nil
}

// watch ends the session when its channel ends; the end of the connection ends
// the channel.
func (s *session) watch() {
	closed := s.channel.NotifyClose(make(chan *amqp.Error, 1))
	s.background.Go(func() { s.fail(endError(<-closed)) })
}

// fail ends the session for a reason; only the first one counts.
func (s *session) fail(reason error) {
	s.end.Do(func() {
		s.err = reason
		close(s.done)
	})
}

// broken ends the session for a failed call of the library. When that only says
// that the channel is closed already, the reason is on its way through watch.
func (s *session) broken(err error) {
	if errors.Is(err, amqp.ErrClosed) {
		<-s.done
		return
	}
	s.fail(fmt.Errorf("the connection to the broker is lost: %w", err))
}

// reason is why the session has ended, nil while it lasts.
func (s *session) reason() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// close ends the session and waits for its goroutines. It may be called again.
// An error means that the broker may not have noticed yet.
func (s *session) close() error {
	s.fail(ErrClosed)
	hard := time.AfterFunc(closeTimeout, func() { s.link.socket.abort(net.ErrClosed) })
	defer hard.Stop()
	err := s.link.Close()
	s.background.Wait()
	if err == nil || errors.Is(err, amqp.ErrClosed) || !errors.Is(s.err, ErrClosed) {
		return nil // a session that was lost before has nobody to say farewell to
	}
	return fmt.Errorf("close the connection to the broker: %w", err)
}
