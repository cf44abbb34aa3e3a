package services

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// Python is the path of an interpreter that has the modules of the participants in
// examples/participants.
func Python() (string, error) {
	return pythonWith("pika", "psycopg2")
}

// pythonWith finds one with these modules. The first of the PATH may be a user's own, which
// does not see those of the distribution.
func pythonWith(modules ...string) (string, error) {
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if path, err := exec.LookPath(name); err == nil && exec.Command(path, "-c", "import "+strings.Join(modules, ", ")).Run() == nil {
			return path, nil
		}
	}
	return "", missingTool("python3-" + strings.Join(modules, ", python3-"))
}

// nodeParticipant is the folder of the participant in Node.js.
const nodeParticipant = "examples/participants/node"

// Node is the path of Node.js, where the modules of examples/participants/node are installed.
func Node() (string, error) {
	path, err := exec.LookPath("node")
	if err != nil {
		return "", missingTool("nodejs")
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	for _, module := range []string{"amqplib", "pg"} {
		if _, err := os.Stat(filepath.Join(root, nodeParticipant, "node_modules", module, "package.json")); err != nil {
			return "", fmt.Errorf("%s lacks the module %s: `make services` installs it, as `npm ci` does there", nodeParticipant, module)
		}
	}
	return path, nil
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
	{"python3-pika", "1.2", func() (string, error) { return pythonWith("pika") }},
	{"python3-psycopg2", "2.9", func() (string, error) { return pythonWith("psycopg2") }},
	{"nodejs", "18.0", func() (string, error) { return exec.LookPath("node") }},
}

// InstallTestTools brings the distribution's packages that tests need, and the modules of
// Node.js, where they are missing. As for the servers, SAGA_SERVICES can forbid it.
func InstallTestTools(ctx context.Context, report Report) error {
	var errs []error
	for _, tool := range testTools {
		if _, err := tool.find(); err != nil {
			errs = append(errs, installTool(ctx, report, tool.name, tool.oldest))
		}
	}
	return errors.Join(append(errs, installNodeModules(ctx, report))...)
}

// installNodeModules brings what the lock file says, into the participant's own folder.
func installNodeModules(ctx context.Context, report Report) error {
	if _, err := Node(); err == nil {
		return nil
	}
	root, err := Root()
	if err != nil {
		return err
	}
	if _, err := exec.LookPath("npm"); err != nil {
		if err := installTool(ctx, report, "npm", "9.0"); err != nil {
			return err
		}
	}
	report("npm ci in %s", nodeParticipant)
	npm := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	npm.Dir = filepath.Join(root, nodeParticipant)
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci in %s: %w: %s", nodeParticipant, err, lastLine(out))
	}
	return nil
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
