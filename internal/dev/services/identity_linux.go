package services

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// identity is the user that a private server runs as. The zero value is the user
// who starts it.
type identity struct {
	change   bool
	uid, gid uint32
	// climb lets the server reach a clone below a directory that its user may
	// not enter, such as /root.
	climb bool
}

// postgresIdentity is the identity of PostgreSQL with its data below dir.
// PostgreSQL refuses to run as root, so root becomes the package's own user.
func postgresIdentity(dir string) (identity, error) {
	if os.Geteuid() != 0 {
		return identity{}, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return identity{}, fmt.Errorf("the user that PostgreSQL runs as: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return identity{}, fmt.Errorf("the id of user postgres: %w", err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return identity{}, fmt.Errorf("the group of user postgres: %w", err)
	}
	open, err := everybodyMayEnter(dir)
	return identity{change: true, uid: uint32(uid), gid: uint32(gid), climb: !open}, err
}

func everybodyMayEnter(dir string) (bool, error) {
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return false, fmt.Errorf("look at the directories above the data: %w", err)
		}
		if info.Mode().Perm()&0o001 == 0 {
			return false, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true, nil
		}
		dir = parent
	}
}

// capDACOverride is CAP_DAC_OVERRIDE of capabilities(7): file permissions do not
// bind. CAP_DAC_READ_SEARCH would do, but containers usually lack it.
const capDACOverride = 1

// command is a command run as the identity, with an environment that holds
// nothing of this shell's: a PGDATA or RABBITMQ_NODENAME in it must not leak in.
func (i identity) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, program, args...)
	command.Dir = "/"
	command.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "LC_ALL=C.UTF-8"}
	if !i.change {
		return command
	}
	command.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: i.uid, Gid: i.gid},
	}
	if i.climb {
		command.SysProcAttr.AmbientCaps = []uintptr{capDACOverride}
	}
	return command
}

// own gives a file to the identity.
func (i identity) own(path string) error {
	if !i.change {
		return nil
	}
	return os.Chown(path, int(i.uid), int(i.gid))
}
