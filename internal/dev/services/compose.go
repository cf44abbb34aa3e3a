package services

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// compose runs the two servers of deploy/compose.yaml; the daemons of that file
// stay out of it.
type compose struct {
	dir    string // the project's directory
	report Report
}

const composeFile = "deploy/compose.yaml"

func (c *compose) name() string { return "compose" }

func (c *compose) postgres(ctx context.Context, start bool) (Postgres, error) {
	address, err := c.address(ctx, start, "postgres", "5432")
	if err != nil {
		return Postgres{}, err
	}
	return openPostgres(ctx, c.name(), "postgres://postgres:postgres@"+address+"/postgres?sslmode=disable")
}

func (c *compose) broker(ctx context.Context, start bool) (Broker, error) {
	address, err := c.address(ctx, start, "rabbitmq", "5672")
	if err != nil {
		return Broker{}, err
	}
	return openBroker(ctx, c.name(), "amqp://guest:guest@"+address+"/", composeCtl())
}

// address is where compose publishes the service's port on this machine.
func (c *compose) address(ctx context.Context, start bool, service, port string) (string, error) {
	if !start && !c.ours(service) {
		return "", errors.New("not started by make services")
	}
	if err := engineAnswers(ctx); err != nil {
		return "", err
	}
	if start {
		if err := c.up(ctx, service, port); err != nil {
			return "", err
		}
	}
	out, err := composeCommand(ctx, c.dir, "port", service, port).Output()
	if err != nil {
		return "", fmt.Errorf("docker compose port %s: %w", service, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// up starts the service and waits until it is healthy. Where its usual port is
// taken on this machine, it is published on a free one.
func (c *compose) up(ctx context.Context, service, port string) error {
	c.report("docker compose: starting %s (the first time it downloads the image, a minute or two)", service)
	command := composeCommand(ctx, c.dir, "up", "--detach", "--wait", service)
	if !c.ours(service) {
		if err := c.remember(service); err != nil {
			return err
		}
		free, err := freePort(port)
		if err != nil {
			return err
		}
		command.Env = append(command.Environ(), strings.ToUpper(service)+"_PORT="+free)
	}
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("docker compose up %s: %w", service, err)
	}
	return nil
}

// down removes the containers of the services that up started; the data stays in
// their volumes.
func (c *compose) down(ctx context.Context) error {
	for _, service := range []string{"postgres", "rabbitmq"} {
		if !c.ours(service) {
			continue
		}
		c.report("docker compose: stopping %s", service)
		if out, err := composeCommand(ctx, c.dir, "rm", "--stop", "--force", service).CombinedOutput(); err != nil {
			return fmt.Errorf("docker compose rm %s: %w: %s", service, err, lastLine(out))
		}
		if err := os.Remove(c.mark(service)); err != nil {
			return fmt.Errorf("forget the service of docker compose: %w", err)
		}
	}
	return nil
}

// mark is the file that says that up started the service.
func (c *compose) mark(service string) string {
	return filepath.Join(c.dir, localDir, "compose-"+service)
}

func (c *compose) ours(service string) bool {
	_, err := os.Stat(c.mark(service))
	return err == nil
}

func (c *compose) remember(service string) error {
	out, err := composeCommand(context.Background(), c.dir, "ps", "--quiet", service).Output()
	if err == nil && len(out) > 0 {
		return nil // somebody else started it; it is not ours to stop
	}
	if err := os.MkdirAll(filepath.Dir(c.mark(service)), 0o755); err != nil {
		return fmt.Errorf("remember the service of docker compose: %w", err)
	}
	return os.WriteFile(c.mark(service), nil, 0o644)
}

// engineAnswers tells whether docker compose can work here.
func engineAnswers(ctx context.Context) error {
	if _, err := exec.LookPath("docker"); err != nil {
		return errors.New("docker is not installed")
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "docker", "info", "--format", "{{.ServerVersion}}").CombinedOutput(); err != nil {
		return fmt.Errorf("no docker engine answers: %s", lastLine(out))
	}
	if exec.CommandContext(ctx, "docker", "compose", "version").Run() == nil {
		return nil
	}
	if _, err := exec.LookPath("docker-compose"); err != nil {
		return errors.New("docker has no compose plugin, and docker-compose is not installed")
	}
	return nil
}

// composeCommand is `docker compose` with the project's file, or docker-compose
// where the plugin is not installed.
func composeCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	args = append([]string{"-f", filepath.Join(dir, composeFile)}, args...)
	if exec.CommandContext(ctx, "docker", "compose", "version").Run() == nil {
		return exec.CommandContext(ctx, "docker", append([]string{"compose"}, args...)...)
	}
	return exec.CommandContext(ctx, "docker-compose", args...)
}

// composeCtl reaches the broker inside its container.
func composeCtl() vhostAdmin {
	return ctl{label: "rabbitmqctl by docker compose", command: func(ctx context.Context, args ...string) *exec.Cmd {
		dir, err := Root()
		if err != nil {
			dir = "."
		}
		return composeCommand(ctx, dir, append([]string{"exec", "-T", "rabbitmq", "rabbitmqctl"}, args...)...)
	}}
}

// freePort is the port itself, or a free one where something listens on it.
func freePort(port string) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close() // it was only asked for its number
	_, free, err := net.SplitHostPort(listener.Addr().String())
	return free, err
}
