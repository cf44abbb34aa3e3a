package stack

import (
	"fmt"
	"net"
	"os"
)

// socket is a port that is taken by listening on it. A daemon's process inherits
// it, and so does the next one after a crash: nobody can take the port in between.
type socket struct {
	file *os.File
	addr string
}

// loopback is a free port of this machine, of the kernel's choice.
const loopback = "127.0.0.1:0"

func bind(addr string) (*socket, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("take a port: %w", err)
	}
	defer func() { _ = listener.Close() }() // file is a copy
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		return nil, fmt.Errorf("take a port: %w", err)
	}
	return &socket{file: file, addr: listener.Addr().String()}, nil
}

// inherited is what a process calls its n-th socket, see [httpapi.Listen].
func inherited(n int) string { return fmt.Sprintf("fd:%d", 3+n) } // after input, output and errors
