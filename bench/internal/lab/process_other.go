//go:build !linux

package lab

import "syscall"

// attributes of a process under measurement. Its own process group: an interrupt
// at the terminal reaches only us, and we stop it in order.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
