package services

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"time"
)

// install brings a package of the distribution without starting its default
// instance: the machine's ports 5432 and 5672 stay free, and nothing but the
// files is new.
func (p *private) install(ctx context.Context, name, oldest string) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("this is neither Debian nor Ubuntu: there is no apt-get")
	}
	if os.Geteuid() != 0 {
		return errors.New("installing it needs root")
	}
	began := time.Now()
	p.report("apt-get: refreshing the package lists")
	if err := apt(ctx, "update"); err != nil {
		return err
	}
	if err := newEnough(ctx, name, oldest); err != nil {
		return err
	}
	restore, err := holdServices()
	if err != nil {
		return err
	}
	defer restore()
	p.report("apt-get: installing %s (a minute or two)", name)
	if err := apt(ctx, "install", "--yes", "--no-install-recommends", name); err != nil {
		return err
	}
	p.report("installed %s in %s", name, time.Since(began).Round(time.Second))
	return nil
}

// apt runs to its end even when this program is told to stop: a package that is
// half installed is worse than a minute of patience.
func apt(ctx context.Context, args ...string) error {
	// Somebody else's apt-get is waited for.
	all := append([]string{"--quiet", "-o", "DPkg::Lock::Timeout=300"}, args...)
	command := exec.CommandContext(context.WithoutCancel(ctx), "apt-get", all...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("apt-get %s: %w: %s%s", args[0], err, lastLine(out), certificates(out))
	}
	return nil
}

// certificates is the remedy where the machine trusts no server: a minimal Debian
// has no CA certificates.
func certificates(out []byte) string {
	if !bytes.Contains(bytes.ToLower(out), []byte("certificate")) {
		return ""
	}
	return "\nInstall the package ca-certificates (apt-get install ca-certificates, from a mirror by http), then run this again"
}

// candidateVersion finds the upstream version in apt-cache's answer: "15+248",
// or "1:3.10.8-1" with an epoch in front.
var candidateVersion = regexp.MustCompile(`Candidate: (?:\d+:)?([0-9]+(?:\.[0-9]+)?)`)

// newEnough refuses before anything is installed.
func newEnough(ctx context.Context, name, oldest string) error {
	out, err := exec.CommandContext(ctx, "apt-cache", "policy", name).Output()
	if err != nil {
		return fmt.Errorf("apt-cache policy %s: %w", name, err)
	}
	match := candidateVersion.FindSubmatch(out)
	if match == nil {
		return fmt.Errorf("the distribution has no package %s", name)
	}
	if older(string(match[1]), oldest) {
		return fmt.Errorf("the distribution's %s is version %s, older than %s", name, match[1], oldest)
	}
	return nil
}

// Files that keep the packages from starting anything while they are installed:
// policy-rc.d speaks for all services, the other one for the cluster that
// PostgreSQL's package makes.
const (
	policyFile  = "/usr/sbin/policy-rc.d"
	clusterDir  = "/etc/postgresql-common/createcluster.d"
	clusterFile = clusterDir + "/saga-no-main-cluster.conf"
)

// holdServices writes those files; restore puts back what was there.
func holdServices() (restore func(), err error) {
	var undo []func()
	restore = func() {
		for _, u := range undo {
			u()
		}
	}
	const policy = "#!/bin/sh\n# Written by `make services` while it installs packages; it may be deleted afterwards.\nexit 101\n"
	before, err := os.ReadFile(policyFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("keep the packages from starting services: %w", err)
	}
	if err == nil && string(before) != policy { // ours is of a run that was killed
		undo = append(undo, func() { os.WriteFile(policyFile, before, 0o755) }) //nolint:errcheck // nothing else can be done
	} else {
		undo = append(undo, func() { os.Remove(policyFile) })
	}
	if err := os.WriteFile(policyFile, []byte(policy), 0o755); err != nil {
		return nil, fmt.Errorf("keep the packages from starting services: %w", err)
	}
	undo = append(undo, func() { os.Remove(clusterFile) })
	if _, err := os.Stat(clusterDir); errors.Is(err, os.ErrNotExist) {
		undo = append(undo, func() { os.Remove(clusterDir) }) // only if nothing else is in it
	}
	if err := os.MkdirAll(clusterDir, 0o755); err != nil {
		restore()
		return nil, fmt.Errorf("keep PostgreSQL's package from making a cluster: %w", err)
	}
	if err := os.WriteFile(clusterFile, []byte("create_main_cluster = false\n"), 0o644); err != nil {
		restore()
		return nil, fmt.Errorf("keep PostgreSQL's package from making a cluster: %w", err)
	}
	return restore, nil
}
