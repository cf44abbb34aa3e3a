//go:build !linux

package stack

import "syscall"

// attributes of a daemon's process. Its own process group: an interrupt at the
// terminal reaches only us, and we stop the daemons in order.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
