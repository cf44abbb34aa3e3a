package services

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// localDir holds everything that the private instances write, below the
// project's directory. It is ignored by git.
const localDir = ".local"

// private runs instances of this project from the packages of Debian or Ubuntu,
// beside whatever else runs on the machine: on ports of their own, listening on
// the loopback address only.
type private struct {
	dir    string // the project's directory
	report Report
}

var errNotRunning = errors.New("no private instance runs")

func (p *private) name() string { return "private" }

// path is a place under the project's .local.
func (p *private) path(elements ...string) string {
	return filepath.Join(append([]string{p.dir, localDir}, elements...)...)
}

// supported tells whether private instances can run on this machine.
func (p *private) supported() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("private instances need Debian or Ubuntu; this is %s", runtime.GOOS)
	}
	return nil
}

// instanceDir makes the directory of one server, which belongs to its user.
func (p *private) instanceDir(server string, as identity) (string, error) {
	dir := p.path(server)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the directory of the private %s: %w", server, err)
	}
	if err := as.own(dir); err != nil {
		return "", fmt.Errorf("give the directory of the private %s to its user: %w", server, err)
	}
	return dir, nil
}

// down stops the private instances that run.
func (p *private) down(ctx context.Context) error {
	var errs []error
	for _, name := range []string{"rabbitmq", "epmd", "postgres"} {
		record, err := readProcess(p.path(name + ".json"))
		if err != nil || !record.alive() {
			continue
		}
		p.report("stopping the private %s (process %d)", name, record.PID)
		errs = append(errs, record.stop(ctx))
	}
	return errors.Join(errs...)
}
