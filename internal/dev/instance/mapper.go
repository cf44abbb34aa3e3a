package instance

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
)

// Names is what Erlang's port mapper (epmd) knows: the ports of the nodes. Nodes that know
// each other share one, each asking a [Mapper] of its own.
type Names struct {
	mu    sync.Mutex
	nodes map[string]registration
}

// registration is what a node says of itself: its port, and the rest of its record that
// is only handed on.
type registration struct {
	port uint16
	rest []byte // kind, protocol, versions
}

// Mapper answers one node as epmd does. epmd itself is a process that nobody ends, and
// it tells every node the same port; here each can be sent another way.
type Mapper struct {
	Port  int
	names *Names
	route func(name string, port int) int
	tasks sync.WaitGroup
	stop  func()

	mu    sync.Mutex
	conns []net.Conn
}

// Listen starts a mapper. The route, where there is one, turns the port of a node into the
// port that is told.
func (n *Names) Listen(route func(name string, port int) int) (*Mapper, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen as Erlang's port mapper: %w", err)
	}
	m := &Mapper{Port: listener.Addr().(*net.TCPAddr).Port, names: n, route: route, stop: func() { _ = listener.Close() }}
	m.tasks.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			m.mu.Lock()
			m.conns = append(m.conns, conn)
			m.mu.Unlock()
			m.tasks.Go(func() {
				defer func() { _ = conn.Close() }()
				_ = m.serve(conn) // the node tries again
			})
		}
	})
	return m, nil
}

// Close ends it.
func (m *Mapper) Close() {
	m.stop()
	m.mu.Lock()
	for _, conn := range m.conns {
		_ = conn.Close()
	}
	m.mu.Unlock()
	m.tasks.Wait()
}

// Tags of the protocol, see "EPMD Protocol" in the manual of Erlang's distribution.
const (
	alive, portPlease, namesPlease         = 120, 122, 110
	aliveAnswer, aliveShortAnswer, portAns = 118, 121, 119
	longCreation                           = 6 // the version from which an identity has four bytes
)

func (m *Mapper) serve(conn net.Conn) error {
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	request := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, request); err != nil {
		return err
	}
	if len(request) == 0 {
		return errors.New("a request without a tag")
	}
	switch request[0] {
	case alive:
		return m.register(conn, request[1:])
	case portPlease:
		_, err := conn.Write(m.where(string(request[1:])))
		return err
	case namesPlease:
		_, err := conn.Write(m.list())
		return err
	}
	return fmt.Errorf("a request with the tag %d", request[0])
}

// register keeps the node's port for as long as its connection stands.
func (m *Mapper) register(conn net.Conn, request []byte) error {
	const head = 10 // port 2, kind 1, protocol 1, highest 2, lowest 2, length of the name 2
	if len(request) < head {
		return errors.New("a registration that is too short")
	}
	highest := binary.BigEndian.Uint16(request[4:])
	length := int(binary.BigEndian.Uint16(request[8:]))
	if len(request) < head+length {
		return errors.New("a registration without its name")
	}
	name := string(request[head : head+length])
	mine := registration{port: binary.BigEndian.Uint16(request), rest: slices.Clone(request[2:8])}
	m.names.mu.Lock()
	if m.names.nodes == nil {
		m.names.nodes = map[string]registration{}
	}
	m.names.nodes[name] = mine
	m.names.mu.Unlock()
	defer func() {
		m.names.mu.Lock()
		defer m.names.mu.Unlock()
		// Unless the next process of the node is there already.
		if now := m.names.nodes[name]; now.port == mine.port {
			delete(m.names.nodes, name)
		}
	}()
	answer := []byte{aliveShortAnswer, 0, 0, 1}
	if highest >= longCreation {
		answer = []byte{aliveAnswer, 0, 0, 0, 0, 1}
	}
	if _, err := conn.Write(answer); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, conn)
	return err
}

func (m *Mapper) where(name string) []byte {
	m.names.mu.Lock()
	found, known := m.names.nodes[name]
	m.names.mu.Unlock()
	if !known {
		return []byte{portAns, 1}
	}
	port := int(found.port)
	if m.route != nil {
		port = m.route(name, port)
	}
	answer := binary.BigEndian.AppendUint16([]byte{portAns, 0}, uint16(port))
	answer = append(answer, found.rest...)
	answer = binary.BigEndian.AppendUint16(answer, uint16(len(name)))
	answer = append(answer, name...)
	return append(answer, 0, 0) // nothing extra
}

func (m *Mapper) list() []byte {
	m.names.mu.Lock()
	defer m.names.mu.Unlock()
	var text strings.Builder
	for name, found := range m.names.nodes {
		fmt.Fprintf(&text, "name %s at port %d\n", name, found.port)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(m.Port)), text.String()...)
}
