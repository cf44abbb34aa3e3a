package services

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// minPooler is what Debian 12 has.
const minPooler = "1.18"

// Pooler is the path of pgbouncer, which tests run by themselves. It is no server of
// the project: nothing but tests needs it.
func Pooler() (string, error) {
	// An ordinary user's PATH leaves out the folder of Debian's package.
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("pgbouncer is not installed: `sudo make services` installs it on Debian and Ubuntu, " +
		"elsewhere use the system's package manager")
}

// InstallPooler brings the distribution's package where it is missing. As for the
// servers, SAGA_SERVICES can forbid it.
func InstallPooler(ctx context.Context, report Report) error {
	if _, err := Pooler(); err == nil {
		return nil
	}
	dir, err := Root()
	if err != nil {
		return err
	}
	private := &private{dir: dir, report: report}
	only := os.Getenv("SAGA_SERVICES")
	if _, err := permitted([]attempt{{private, true}}, only); err != nil {
		return fmt.Errorf("pgbouncer is not installed, and SAGA_SERVICES=%s permits no installation", only)
	}
	unlock, err := lock(dir, report)
	if err != nil {
		return err
	}
	defer unlock()
	if err := private.install(ctx, "pgbouncer", minPooler); err != nil {
		return fmt.Errorf("install pgbouncer: %w", err)
	}
	return nil
}
