package relay

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy stands between an engine and a server, and can be cut.
type proxy struct {
	t        *testing.T
	upstream string
	addr     string

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	wait     sync.WaitGroup
}

// proxyOf puts a proxy before the server of a URL and returns the URL through it.
func proxyOf(t *testing.T, server string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(server)
	require.NoError(t, err)
	p := &proxy{t: t, upstream: u.Host, addr: "127.0.0.1:0", conns: map[net.Conn]bool{}}
	p.heal()
	t.Cleanup(func() {
		p.cut()
		p.wait.Wait()
	})
	u.Host = p.addr
	return p, u.String()
}

// heal listens (again) on the same port.
func (p *proxy) heal() {
	listener, err := net.Listen("tcp", p.addr)
	require.NoError(p.t, err)
	p.mu.Lock()
	p.listener, p.addr = listener, listener.Addr().String()
	p.mu.Unlock()
	p.wait.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", p.upstream)
			if err != nil {
				_ = client.Close()
				continue
			}
			p.mu.Lock()
			p.conns[client], p.conns[server] = true, true
			p.mu.Unlock()
			p.wait.Go(func() { p.pipe(client, server) })
			p.wait.Go(func() { p.pipe(server, client) })
		}
	})
}

func (p *proxy) pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

// cut refuses new connections and breaks the present ones.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.listener.Close()
	for conn := range p.conns {
		_ = conn.Close()
	}
	clear(p.conns)
}
