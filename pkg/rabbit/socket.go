package rabbit

import (
	"net"
	"sync"
	"time"
)

// maxPending is the size in bytes above which a writer waits for room.
const maxPending = 64 << 10

// socket writes in the background: what the library writes while a write is on
// its way goes out with the next one. The library flushes after each message, so
// that a window would cost a system call a message, here and at the broker.
//
// Each write to the network has its own deadline. Without one, a broker that
// stops reading blocks the writer for ever, and Close behind it.
type socket struct {
	net.Conn
	writeTimeout time.Duration

	mu      sync.Mutex
	changed *sync.Cond // any of the fields below
	pending []byte
	closing bool
	err     error // why nothing can be written any more

	ended chan struct{} // closed when the background is through
}

func newSocket(conn net.Conn, writeTimeout time.Duration) *socket {
	s := &socket{Conn: conn, writeTimeout: writeTimeout, ended: make(chan struct{})}
	s.changed = sync.NewCond(&s.mu)
	go s.run()
	return s
}

// Write takes the bytes over. Whether they arrive, the answers tell; that they
// did not leave, a later Write and Read.
func (s *socket) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pending) >= maxPending && s.err == nil {
		s.changed.Wait()
	}
	switch {
	case s.err != nil:
		return 0, s.err
	case s.closing:
		return 0, net.ErrClosed
	}
	s.pending = append(s.pending, b...)
	s.changed.Broadcast()
	return len(b), nil
}

// run writes until the socket is closed or broken.
func (s *socket) run() {
	defer close(s.ended)
	var out []byte
	for {
		if out = s.take(out[:0]); len(out) == 0 {
			s.abort(net.ErrClosed)
			return
		}
		if err := s.flush(out); err != nil {
			s.abort(err)
			return
		}
	}
}

// take waits for something to write and leaves an empty buffer in its place. It
// returns nothing when there will be nothing more.
func (s *socket) take(empty []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pending) == 0 && !s.closing && s.err == nil {
		s.changed.Wait()
	}
	if s.err != nil {
		return nil
	}
	out := s.pending
	s.pending = empty
	s.changed.Broadcast()
	return out
}

func (s *socket) flush(b []byte) error {
	if err := s.Conn.SetWriteDeadline(time.Now().Add(s.writeTimeout)); err != nil {
		return err
	}
	_, err := s.Conn.Write(b)
	return err
}

// Read says why the socket was closed, when that was for a failed write.
func (s *socket) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if err == nil {
		return n, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		err = s.err
	}
	return n, err
}

// SetWriteDeadline does nothing: crypto/tls sets one for its farewell, which
// would hit the writes that are still on their way.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

// Close writes out what is pending and then closes. It takes no longer than a
// write, and an abort ends it.
func (s *socket) Close() error {
	s.mu.Lock()
	s.closing = true
	s.changed.Broadcast()
	s.mu.Unlock()
	<-s.ended
	return nil
}

// abort closes at once; only the first reason counts.
func (s *socket) abort(reason error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = reason
	}
	s.changed.Broadcast()
	s.mu.Unlock()
	_ = s.Conn.Close()
}
