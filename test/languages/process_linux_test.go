package languages

import "syscall"

// attributes of a child process: when this one is killed, the child is too.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
