package services

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Pooler is the path of pgbouncer, which tests run by themselves. It is no server of
// the project: nothing but tests needs it.
func Pooler() (string, error) {
	// An ordinary user's PATH leaves out the folder of Debian's package.
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", missingTool("pgbouncer")
}

// FakeTime is the path of the library that a test loads into a server to set its clock.
func FakeTime() (string, error) {
	found, err := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if err != nil || len(found) == 0 {
		return "", errors.Join(err, missingTool("libfaketime"))
	}
	return found[0], nil
}

func missingTool(name string) error {
	return fmt.Errorf("%s is not installed: `sudo make services` installs it on Debian and Ubuntu, "+
		"elsewhere use the system's package manager", name)
}

// testTools are the packages that only tests need, each at least of the version in Debian 12.
var testTools = []struct {
	name, oldest string
	find         func() (string, error)
}{
	{"pgbouncer", "1.18", Pooler},
	{"libfaketime", "0.9", FakeTime},
}

// InstallTestTools brings the distribution's packages that tests need, where they are
// missing. As for the servers, SAGA_SERVICES can forbid it.
func InstallTestTools(ctx context.Context, report Report) error {
	var errs []error
	for _, tool := range testTools {
		if _, err := tool.find(); err != nil {
			errs = append(errs, installTool(ctx, report, tool.name, tool.oldest))
		}
	}
	return errors.Join(errs...)
}

func installTool(ctx context.Context, report Report, name, oldest string) error {
	dir, err := Root()
	if err != nil {
		return err
	}
	private := &private{dir: dir, report: report}
	only := os.Getenv("SAGA_SERVICES")
	if _, err := permitted([]attempt{{private, true}}, only); err != nil {
		return fmt.Errorf("%s is not installed, and SAGA_SERVICES=%s permits no installation", name, only)
	}
	unlock, err := lock(dir, report)
	if err != nil {
		return err
	}
	defer unlock()
	if err := private.install(ctx, name, oldest); err != nil {
		return fmt.Errorf("install %s: %w", name, err)
	}
	return nil
}
