//go:build !linux

package fault

import "syscall"

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
