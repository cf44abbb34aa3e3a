package rabbit

import (
	"net"
	"time"
)

// boundedConn gives every write its own deadline. Without one, a broker that
// stops reading blocks the writer for ever, and Close behind it.
type boundedConn struct {
	net.Conn
	writeTimeout time.Duration
}

func (c *boundedConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.writeTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
