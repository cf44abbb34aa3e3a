package services

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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
// taken on this machine, the engine publishes it on a free one, which it chooses by
// binding it.
func (c *compose) up(ctx context.Context, service, port string) error {
	c.report("docker compose: starting %s (the first time it downloads the image, a minute or two)", service)
	if !c.ours(service) {
		exists, err := c.exists(ctx, service)
		if err != nil {
			return err
		}
		if exists { // somebody else made it; it is not ours to stop
			return c.start(ctx, service, "")
		}
		if err := c.remember(service, port); err != nil {
			return err
		}
	}
	chosen, err := os.ReadFile(c.mark(service))
	if err != nil {
		return fmt.Errorf("the port of the service of docker compose: %w", err)
	}
	err = c.start(ctx, service, string(chosen))
	if number, _ := strconv.Atoi(string(chosen)); err != nil && number != 0 && !free(number) {
		if err := c.remember(service, "0"); err != nil {
			return err
		}
		err = c.start(ctx, service, "0")
	}
	if err == nil {
		return nil
	}
	if made, look := c.exists(ctx, service); look == nil && !made {
		_ = os.Remove(c.mark(service)) // a container that somebody makes later is not ours
	}
	return err
}

// start has the service published on the port; empty leaves it as it is.
func (c *compose) start(ctx context.Context, service, port string) error {
	command := composeCommand(ctx, c.dir, "up", "--detach", "--wait", service)
	if port == "" {
		command = composeCommand(ctx, c.dir, "up", "--detach", "--wait", "--no-recreate", service)
	} else {
		command.Env = append(command.Environ(), strings.ToUpper(service)+"_PORT="+port)
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

// mark is the file that says that up made the service's container, and on which port.
func (c *compose) mark(service string) string {
	return filepath.Join(c.dir, localDir, "compose-"+service)
}

func (c *compose) ours(service string) bool {
	_, err := os.Stat(c.mark(service))
	return err == nil
}

// exists tells whether there is a container of the service already, running or not.
func (c *compose) exists(ctx context.Context, service string) (bool, error) {
	out, err := composeCommand(ctx, c.dir, "ps", "--all", "--quiet", service).Output()
	if err != nil {
		return false, fmt.Errorf("docker compose ps %s: %w", service, err)
	}
	return len(out) > 0, nil
}

func (c *compose) remember(service, port string) error {
	if err := os.MkdirAll(filepath.Dir(c.mark(service)), 0o755); err != nil {
		return fmt.Errorf("remember the service of docker compose: %w", err)
	}
	return os.WriteFile(c.mark(service), []byte(port), 0o644)
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
