package testenv

import (
	"context"
	"net"
	"sync"
)

// link is one client's connection through a proxy.
type link struct {
	proxy *Proxy
	ctx   context.Context // done when the link has ended
	leave context.CancelFunc

	mu     sync.Mutex
	client *net.TCPConn
	server *net.TCPConn // nil until it is connected
	speech sync.Mutex   // one voice at a time speaks to the client
}

func newLink(p *Proxy, client net.Conn) *link {
	ctx, leave := context.WithCancel(context.Background())
	return &link{proxy: p, ctx: ctx, leave: leave, client: client.(*net.TCPConn)}
}

// run connects to the server and forwards until one side ends or the link is
// reset.
func (l *link) run() {
	defer l.forget()
	if !l.pass() {
		return
	}
	server, err := (&net.Dialer{}).DialContext(l.ctx, "tcp", l.proxy.upstream)
	if err != nil {
		l.reset()
		return
	}
	if !l.join(server.(*net.TCPConn)) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.forward(l.client, func(b []byte) error { _, err := server.Write(b); return err }) })
	both.Go(func() { l.forward(server, l.toClient) })
	both.Wait()
}

// forward moves chunks until one side ends, and then ends the other.
func (l *link) forward(from net.Conn, to func([]byte) error) {
	chunk := make([]byte, 16<<10)
	for {
		n, err := from.Read(chunk)
		if !l.pass() {
			return
		}
		if n > 0 && to(chunk[:n]) != nil || err != nil {
			l.end(false)
			return
		}
	}
}

func (l *link) toClient(b []byte) error {
	l.proxy.mu.Lock()
	muted := l.proxy.muted
	l.proxy.mu.Unlock()
	if muted {
		return nil
	}
	return l.tell(b)
}

func (l *link) tell(b []byte) error {
	l.speech.Lock()
	defer l.speech.Unlock()
	_, err := l.client.Write(b)
	return err
}

// pass waits while the proxy is stalled; false means that the link has ended.
func (l *link) pass() bool {
	l.proxy.mu.Lock()
	flowing := l.proxy.flowing
	l.proxy.mu.Unlock()
	select {
	case <-flowing:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// join takes the connection to the server; false means that the link has ended
// meanwhile.
func (l *link) join(server *net.TCPConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		_ = server.Close()
		return false
	}
	l.server = server
	return true
}

func (l *link) reset() { l.end(true) }

// end closes both sides, with a reset or in order.
func (l *link) end(reset bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return
	}
	l.leave()
	for _, conn := range []*net.TCPConn{l.client, l.server} {
		if conn == nil {
			continue
		}
		if reset {
			_ = conn.SetLinger(0)
		}
		_ = conn.Close()
	}
}

func (l *link) forget() {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	delete(l.proxy.links, l)
}
