package testenv

import (
	"cmp"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Proxy stands between clients and a server and breaks their connections in the
// ways that a network or a restart does. It is safe for concurrent use.
//
// A proxy that is down resets who connects instead of closing its port: a closed
// port could be somebody else's when the server comes back.
type Proxy struct {
	// URL is the server's, leading through the proxy.
	URL string

	upstream string
	listener net.Listener
	tasks    sync.WaitGroup

	mu      sync.Mutex
	links   map[*link]bool
	down    bool
	muted   bool
	refused int
	// flowing is closed while bytes pass, and open while they are held up.
	flowing chan struct{}
}

// StartProxy puts a proxy before the server of a URL until the test ends.
func StartProxy(t testing.TB, server string) *Proxy {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" {
		t.Fatal("the server's address is not of the form SCHEME://USER:PASSWORD@HOST:PORT/PATH")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for the clients of a proxy: %v", err)
	}
	usual := map[string]string{"amqp": "5672", "amqps": "5671"}[u.Scheme]
	p := &Proxy{
		upstream: net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), usual, "5432")),
		listener: listener,
		links:    map[*link]bool{},
		flowing:  make(chan struct{}),
	}
	close(p.flowing)
	u.Host = listener.Addr().String()
	p.URL = u.String()
	p.tasks.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.Down()
		p.tasks.Wait()
	})
	return p
}

// Cut resets all connections; new ones are let through. It returns how many
// there were.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
	cut := len(p.links)
	clear(p.links)
	return cut
}

// Down resets all connections, and new ones as soon as they are made.
func (p *Proxy) Down() {
	p.mu.Lock()
	p.down = true
	p.mu.Unlock()
	p.Cut()
}

// Refused is how many connections were turned away since the test began.
func (p *Proxy) Refused() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// Stall holds up every byte in both directions, and the ends of connections too:
// to each side the other one is silent. New connections are made and stay silent.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if isClosed(p.flowing) {
		p.flowing = make(chan struct{})
	}
}

// Mute drops what the server says.
func (p *Proxy) Mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.muted = true
}

// Tell says something to all clients in the server's name. The server itself
// should be silent meanwhile: Tell does not know where its sentences end.
func (p *Proxy) Tell(t testing.TB, text []byte) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		if err := l.tell(text); err != nil {
			t.Fatalf("speak to a client of a proxy: %v", err)
		}
	}
}

// Heal ends what Down, Stall and Mute began. What was held up goes on its way.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down, p.muted = false, false
	if !isClosed(p.flowing) {
		close(p.flowing)
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		l := newLink(p, client)
		p.mu.Lock()
		if p.down {
			p.refused++
			l.reset()
		} else {
			p.links[l] = true
			p.tasks.Go(l.run)
		}
		p.mu.Unlock()
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
