package rabbit_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Methods of AMQP's class queue.
const (
	classQueue    = 50
	methodDeclare = 10
	methodBind    = 20
)

// swallower stands before a broker that does not hear one method of the class queue, as if that
// took for ever.
type swallower struct {
	url    string
	method atomic.Int32
	lost   atomic.Int32

	mu    sync.Mutex
	conns []net.Conn
}

func startSwallower(t *testing.T, server string, method int32) *swallower {
	t.Helper()
	u, err := url.Parse(server)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	upstream := u.Host
	u.Host = listener.Addr().String()
	d := &swallower{url: u.String()}
	d.method.Store(method)
	t.Cleanup(func() { _ = listener.Close(); d.cut() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			broker, err := net.Dial("tcp", upstream)
			if err != nil {
				_ = client.Close()
				continue
			}
			d.mu.Lock()
			d.conns = append(d.conns, client, broker)
			d.mu.Unlock()
			go func() { _, _ = io.Copy(client, broker); _ = client.Close() }()
			go func() { d.pass(broker, client); _ = broker.Close() }()
		}
	}()
	return d
}

// pass hands frames on: type, channel, size, payload, end.
func (d *swallower) pass(to io.Writer, from io.Reader) {
	if _, err := io.CopyN(to, from, 8); err != nil { // the protocol's header
		return
	}
	for {
		frame := make([]byte, 7)
		if _, err := io.ReadFull(from, frame); err != nil {
			return
		}
		rest := make([]byte, binary.BigEndian.Uint32(frame[3:])+1)
		if _, err := io.ReadFull(from, rest); err != nil {
			return
		}
		if frame[0] == 1 && len(rest) > 4 && binary.BigEndian.Uint16(rest) == classQueue &&
			int32(binary.BigEndian.Uint16(rest[2:])) == d.method.Load() {
			d.lost.Add(1)
			continue
		}
		if _, err := to.Write(append(frame, rest...)); err != nil {
			return
		}
	}
}

func (d *swallower) refuse(method int32) { d.method.Store(method) }
func (d *swallower) swallowed() int      { return int(d.lost.Load()) }

func (d *swallower) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.conns {
		_ = c.Close()
	}
}
