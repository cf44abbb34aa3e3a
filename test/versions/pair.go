package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"go.example/saga/internal/dev/instance"
)

// pair is a PostgreSQL and a RabbitMQ that are tried together.
type pair struct {
	name     string
	postgres instance.PostgresSettings
	rabbit   instance.NodeSettings
	// after is run on the node: programs of RabbitMQ's with their arguments.
	after [][]string
}

// strict denies all that RabbitMQ 4 deprecates, and makes quorum queues where a declaration
// names no type.
const strict = `
deprecated_features.permit.amqp_address_v1 = false
deprecated_features.permit.global_qos = false
deprecated_features.permit.management_metrics_collection = false
deprecated_features.permit.queue_master_locator = false
deprecated_features.permit.ram_node_type = false
deprecated_features.permit.transient_nonexcl_queues = false
default_queue_type = quorum`

func pairs(dir string) []pair {
	next := filepath.Join(dir, release)
	return []pair{
		{
			name:     "machine", // what make test has: the oldest that are supported, on Debian 12
			postgres: instance.PostgresSettings{Bin: instance.PostgresPrograms("")},
		},
		{
			name:     release,
			postgres: instance.PostgresSettings{Root: next, Bin: instance.PostgresPrograms(next)},
			rabbit:   instance.NodeSettings{Root: next},
		},
		{
			name:     "strict",
			postgres: instance.PostgresSettings{Bin: npmPostgres(dir)},
			rabbit:   instance.NodeSettings{Root: next, Config: strict},
			after:    [][]string{{instance.RabbitCtl, "enable_feature_flag", "--opt-in", "khepri_db"}},
		},
	}
}

// servers are a pair that runs.
type servers struct {
	postgres *instance.Postgres
	node     *instance.Node
	mapper   *instance.Mapper
	dirs     []string
}

// start starts a pair in folders that are removed when it ends.
func (p pair) start(ctx context.Context) (s *servers, err error) {
	s = &servers{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
			s = nil
		}
	}()
	if p.postgres.Dir, err = s.dir(p.postgres.Root); err != nil {
		return s, err
	}
	if p.rabbit.Dir, err = s.dir(p.rabbit.Root); err != nil {
		return s, err
	}
	// The suite kills no server of this pair: what it commits need not reach the disk.
	p.postgres.Options = []string{"-c", "fsync=off", "-c", "max_connections=200"}
	if s.postgres, err = instance.NewPostgres(p.postgres); err != nil {
		return s, err
	}
	if s.mapper, err = new(instance.Names).Listen(nil); err != nil {
		return s, err
	}
	p.rabbit.Name, p.rabbit.Mapper = "versions@localhost", s.mapper.Port
	if s.node, err = instance.NewNode(p.rabbit); err != nil {
		return s, err
	}
	if err := errors.Join(s.postgres.Start(), s.node.Start()); err != nil {
		return s, err
	}
	if err := errors.Join(s.postgres.Ready(ctx), s.node.Ready(ctx)); err != nil {
		return s, err
	}
	for _, run := range p.after {
		if _, err := s.node.Run(run[0], run[1:]...); err != nil {
			return s, err
		}
	}
	return s, nil
}

// dir makes a folder for a server below root, and returns it as seen from there.
func (s *servers) dir(root string) (string, error) {
	dir, err := os.MkdirTemp(filepath.Join(root, "/var/tmp"), "saga-versions-")
	if err != nil {
		return "", fmt.Errorf("make the folder of a server: %w", err)
	}
	s.dirs = append(s.dirs, dir)
	return strings.TrimPrefix(dir, root), os.Chmod(dir, 0o755)
}

func (s *servers) stop() error {
	var errs []error
	if s.node != nil {
		errs = append(errs, s.node.End(syscall.SIGKILL))
	}
	if s.mapper != nil {
		s.mapper.Close()
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.End(syscall.SIGQUIT))
	}
	for _, dir := range s.dirs {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}
