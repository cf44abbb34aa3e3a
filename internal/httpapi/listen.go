package httpapi

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// firstInherited is the first file descriptor that a process can inherit beside
// its standard input and output.
const firstInherited = 3

// Listen listens on host:port. "fd:3" is a listening socket that whoever started
// this process has bound and passes on, by the number of its file descriptor: a
// port that is taken like this cannot be lost to somebody else before the start.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	number, inherited := strings.CutPrefix(addr, "fd:")
	if !inherited {
		return (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	}
	descriptor, err := strconv.ParseUint(number, 10, 16)
	if err != nil || descriptor < firstInherited {
		return nil, fmt.Errorf("%q names no inherited socket: want fd:%d or a higher number", addr, firstInherited)
	}
	file := os.NewFile(uintptr(descriptor), addr)
	defer func() { _ = file.Close() }() // the listener has its own copy
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("%q is no listening socket that this process inherited: %w", addr, err)
	}
	return listener, nil
}
