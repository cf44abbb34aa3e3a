//go:build !linux

package services

import (
	"context"
	"errors"
	"os/exec"
)

// identity has no meaning here: private instances run on Linux only.
type identity struct{}

func postgresIdentity(string) (identity, error) {
	return identity{}, errors.New("private instances run on Linux only")
}

func (identity) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, program, args...)
}

func (identity) own(string) error { return nil }
