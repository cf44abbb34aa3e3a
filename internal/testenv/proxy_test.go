package testenv

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startEcho is the URL of a server that repeats each line.
func startEcho(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return "echo://user@" + listener.Addr().String() + "/path?x=1"
}

// client is a connection through a proxy.
type client struct {
	*testing.T
	net.Conn
	lines *bufio.Reader
}

func connect(t *testing.T, p *Proxy) client {
	t.Helper()
	u, err := url.Parse(p.URL)
	require.NoError(t, err)
	require.Equal(t, "/path?x=1", u.RequestURI())
	conn, err := net.Dial("tcp", u.Host)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return client{t, conn, bufio.NewReader(conn)}
}

func (c client) say(line string) {
	c.Helper()
	_, err := io.WriteString(c, line+"\n")
	require.NoError(c, err)
}

func (c client) hears(line string) {
	c.Helper()
	require.NoError(c, c.SetReadDeadline(time.Now().Add(10*time.Second)))
	got, err := c.lines.ReadString('\n')
	require.NoError(c, err)
	require.Equal(c, line+"\n", got)
}

func (c client) hearsNothing() {
	c.Helper()
	require.NoError(c, c.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err := c.lines.ReadByte()
	var timeout net.Error
	require.ErrorAs(c, err, &timeout)
	require.True(c, timeout.Timeout())
}

func (c client) isReset() {
	c.Helper()
	require.NoError(c, c.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err := c.lines.ReadByte()
	require.ErrorIs(c, err, syscall.ECONNRESET)
}

func TestProxyCutsAndRefuses(t *testing.T) {
	t.Parallel()
	p := StartProxy(t, startEcho(t))
	one, other := connect(t, p), connect(t, p)
	for _, c := range []client{one, other} {
		c.say("hello")
		c.hears("hello")
	}
	require.Equal(t, 2, p.Cut())
	one.isReset()
	other.isReset()
	again := connect(t, p)
	again.say("again")
	again.hears("again")

	p.Down()
	again.isReset()
	_, err := net.Dial("tcp", p.listener.Addr().String()) // may be reset this early or later
	require.True(t, err == nil || errors.Is(err, syscall.ECONNRESET), "%v", err)
	require.Eventually(t, func() bool { return p.Refused() == 1 }, 10*time.Second, time.Millisecond)
	p.Heal()
	back := connect(t, p)
	back.say("back")
	back.hears("back")
}

func TestProxyHoldsEverythingUpUntilItHeals(t *testing.T) {
	t.Parallel()
	p := StartProxy(t, startEcho(t))
	old := connect(t, p)
	old.say("hello")
	old.hears("hello")
	p.Stall()
	p.Stall()
	fresh := connect(t, p)
	for _, c := range []client{old, fresh} {
		c.say("late")
		c.hearsNothing()
	}
	p.Heal()
	old.hears("late")
	fresh.hears("late")
	p.Stall()
	old.say("never")
	require.Equal(t, 2, p.Cut(), "what is held up can be cut")
	old.isReset()
}

func TestProxySpeaksForTheServer(t *testing.T) {
	t.Parallel()
	p := StartProxy(t, startEcho(t))
	c := connect(t, p)
	c.say("hello")
	c.hears("hello")
	p.Mute()
	c.say("dropped")
	c.hearsNothing()
	p.Tell(t, []byte("alarm\n"))
	c.hears("alarm")
	p.Heal()
	c.say("heard")
	c.hears("heard")
}
