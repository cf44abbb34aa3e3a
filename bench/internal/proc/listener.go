package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Listener is the process that listens on a TCP port of this machine. Whose
// sockets are whose is shown to the same user and to root only.
func Listener(port int) (int, error) {
	var sockets []string
	for _, table := range []string{"net/tcp", "net/tcp6"} {
		text, err := os.ReadFile(filepath.Join(root, table))
		if errors.Is(err, os.ErrNotExist) {
			continue // a machine without IPv6
		}
		if err != nil {
			return 0, fmt.Errorf("read the sockets of this machine: %w", err)
		}
		sockets = append(sockets, listening(string(text), port)...)
	}
	pids, err := pids()
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		if holds(pid, sockets) {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("no process in sight listens on port %d", port)
}

// listening finds the sockets in a table like /proc/net/tcp that listen on port,
// by the names under which they stand in /proc/PID/fd.
func listening(table string, port int) []string {
	const (
		local, state, inode = 1, 3, 9
		listen              = "0A"
	)
	var sockets []string
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) <= inode || fields[state] != listen {
			continue
		}
		_, hex, _ := strings.Cut(fields[local], ":")
		if number, err := strconv.ParseUint(hex, 16, 16); err == nil && int(number) == port {
			sockets = append(sockets, "socket:["+fields[inode]+"]")
		}
	}
	return sockets
}

func holds(pid int, sockets []string) bool {
	dir := filepath.Join(root, strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false // ended meanwhile, or another user's
	}
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		return err == nil && slices.Contains(sockets, target)
	})
}
