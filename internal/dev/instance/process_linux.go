package instance

import "syscall"

// attributes of a server's process: away from the terminal's interrupt, and killed when
// this program is.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
