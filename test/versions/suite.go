package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"go.example/saga/internal/dev/instance"
	"go.example/saga/pkg/rabbit"
)

// suite is what is tried on each pair.
type suite struct {
	out          io.Writer
	dir          string // the logs go there
	only         string // a part of the pairs' names
	reservations string
	packages     []string
}

// result is a line of the table; nil means that it did not come so far.
type result struct {
	postgres, rabbit string
	sample, suite    *bool // failed
}

func (s suite) try(ctx context.Context, p pair) (r result, err error) {
	r.postgres, r.rabbit = "?", "?"
	running, err := p.start(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, running.stop()) }()
	if r.postgres, r.rabbit, err = running.versions(ctx); err != nil {
		return r, err
	}
	fmt.Fprintf(s.out, "%s: PostgreSQL %s, RabbitMQ %s\n", p.name, r.postgres, r.rabbit)
	env, err := running.environment()
	if err != nil {
		return r, err
	}
	sample := s.test(ctx, p.name+"-sample", append(env, "RESERVATIONS="+s.reservations), "-run=^TestReservationsWithoutAWarning$", "./test/e2e")
	failed := sample != nil
	r.sample = &failed
	tests := s.test(ctx, p.name+"-suite", env, s.packages...)
	suiteFailed := tests != nil
	r.suite = &suiteFailed
	return r, errors.Join(sample, tests)
}

// test runs `go test`; what it prints goes to a file, and what failed here.
func (s suite) test(ctx context.Context, name string, env []string, args ...string) error {
	log := filepath.Join(s.dir, name+".log")
	fmt.Fprintf(s.out, "%s: go test %s > %s\n", name, strings.Join(args, " "), log)
	file, err := os.Create(log)
	if err != nil {
		return fmt.Errorf("make the log of %s: %w", name, err)
	}
	defer func() { _ = file.Close() }()
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-count=1", "-vet=off", "-timeout=30m"}, args...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, file, file
	err = cmd.Run()
	out, readErr := os.ReadFile(log)
	if readErr != nil {
		return fmt.Errorf("read the log of %s: %w", name, readErr)
	}
	for line := range bytes.Lines(out) {
		if bytes.Contains(line, []byte("--- FAIL")) || bytes.HasPrefix(line, []byte("FAIL")) || bytes.HasPrefix(line, []byte("panic:")) {
			fmt.Fprintf(s.out, "%s", line)
		}
	}
	if err != nil {
		return fmt.Errorf("%s, see %s: %w", name, log, err)
	}
	return nil
}

// versions asks the servers what they are.
func (s *servers) versions(ctx context.Context) (postgres, broker string, err error) {
	conn, err := pgx.Connect(ctx, s.postgres.URL())
	if err != nil {
		return "?", "?", err
	}
	defer func() { _ = conn.Close(ctx) }()
	if err := conn.QueryRow(ctx, `SHOW server_version`).Scan(&postgres); err != nil {
		return "?", "?", err
	}
	postgres, _, _ = strings.Cut(postgres, " ")
	broker, err = rabbit.Ping(ctx, rabbit.Config{URL: func(context.Context) (string, error) { return s.node.URL(), nil }})
	return postgres, broker, err
}

// environment leads the tests to the servers, also those that administer the broker: the
// first rabbitmqctl in the path speaks to this node, whatever file system it lives in.
func (s *servers) environment() ([]string, error) {
	bin := filepath.Join(s.dirs[0], "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of rabbitmqctl: %w", err)
	}
	ctl := s.node.Program(instance.RabbitCtl)
	var words []string
	for _, word := range ctl.Env {
		words = append(words, "'"+strings.ReplaceAll(word, "'", `'\''`)+"'")
	}
	script := fmt.Sprintf("#!/bin/sh\nexec env -i %s chroot '%s' %s \"$@\"\n", strings.Join(words, " "), ctl.SysProcAttr.Chroot+"/", ctl.Path)
	if err := os.WriteFile(filepath.Join(bin, "rabbitmqctl"), []byte(script), 0o755); err != nil {
		return nil, fmt.Errorf("write rabbitmqctl: %w", err)
	}
	return append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "SAGA_SERVICES=environment",
		"DATABASE_URL="+s.postgres.URL(), "AMQP_URL="+s.node.URL()), nil
}
