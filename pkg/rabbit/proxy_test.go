package rabbit

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy stands between a session and the broker and breaks the connection in
// the ways a network does.
type proxy struct {
	listener net.Listener
	upstream string
	stalled  atomic.Bool   // read from neither side any more
	muted    atomic.Bool   // drop what the broker says
	over     chan struct{} // closed with the test
	tasks    sync.WaitGroup

	mu      sync.Mutex // also keeps frames to the clients whole
	clients map[*net.TCPConn]*net.TCPConn
}

// startProxy returns a proxy and the URL that leads through it.
func startProxy(t *testing.T, broker string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(broker)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: listener, upstream: u.Host, over: make(chan struct{}), clients: map[*net.TCPConn]*net.TCPConn{}}
	p.tasks.Go(p.accept)
	t.Cleanup(func() {
		close(p.over)
		_ = listener.Close()
		p.cut()
		p.tasks.Wait()
	})
	u.Host = listener.Addr().String()
	return p, u.String()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.upstream)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.clients[client.(*net.TCPConn)] = server.(*net.TCPConn)
		p.mu.Unlock()
		p.tasks.Go(func() { p.up(client, server) })
		p.tasks.Go(func() { p.down(server, client) })
	}
}

// up forwards bytes to the broker.
func (p *proxy) up(client, server net.Conn) {
	defer server.Close()
	chunk := make([]byte, 4096)
	for {
		n, err := client.Read(chunk)
		if p.stalled.Load() {
			<-p.over
		}
		if _, writeErr := server.Write(chunk[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

// down forwards whole frames to the client: type, channel, size, payload, end.
func (p *proxy) down(server, client net.Conn) {
	defer client.Close()
	from := bufio.NewReader(server)
	for {
		head := make([]byte, 7)
		if _, err := io.ReadFull(from, head); err != nil {
			return
		}
		rest := make([]byte, binary.BigEndian.Uint32(head[3:])+1)
		if _, err := io.ReadFull(from, rest); err != nil {
			return
		}
		if p.stalled.Load() {
			<-p.over
		}
		if p.muted.Load() {
			continue
		}
		p.mu.Lock()
		_, err := client.Write(append(head, rest...))
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// cut resets all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for client, server := range p.clients {
		_, _ = client.SetLinger(0), server.SetLinger(0)
		_, _ = client.Close(), server.Close()
	}
	clear(p.clients)
}

// tell sends a method of the connection class, as if the broker had.
func (p *proxy) tell(t *testing.T, method uint16, arguments string) {
	t.Helper()
	payload := binary.BigEndian.AppendUint16([]byte{0, 10}, method)
	payload = append(payload, arguments...)
	frame := binary.BigEndian.AppendUint32([]byte{1, 0, 0}, uint32(len(payload)))
	frame = append(append(frame, payload...), 0xCE)
	p.mu.Lock()
	defer p.mu.Unlock()
	for client := range p.clients {
		_, err := client.Write(frame)
		require.NoError(t, err)
	}
}
