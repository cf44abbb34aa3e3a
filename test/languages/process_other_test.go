//go:build !linux

package languages

import "syscall"

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
