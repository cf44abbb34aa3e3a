package services

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"go.example/saga/internal/dev/instance"
)

const rabbitNode = "saga@localhost"

func (p *private) broker(ctx context.Context, start bool) (Broker, error) {
	if err := p.supported(); err != nil {
		return Broker{}, err
	}
	record, err := readProcess(p.path("rabbitmq.json"))
	runs := err == nil && record.alive()
	switch {
	case start && runs:
		return p.awaitBroker(ctx, record)
	case start:
		return p.startBroker(ctx)
	case runs:
		return p.openBroker(ctx, record.Port)
	}
	return Broker{}, errNotRunning
}

func (p *private) openBroker(ctx context.Context, port int) (Broker, error) {
	return openBroker(ctx, p.name(), fmt.Sprintf("amqp://guest:guest@127.0.0.1:%d/", port), p.ctl())
}

// ctl reaches the private node.
func (p *private) ctl() vhostAdmin {
	return ctl{label: "rabbitmqctl of the private instance", command: func(ctx context.Context, args ...string) *exec.Cmd {
		command := identity{}.command(ctx, instance.RabbitCtl, append([]string{"-n", rabbitNode}, args...)...)
		if ports, err := p.readPorts(); err == nil {
			command.Env = append(command.Env, p.nodeSettings(ports).Environment()...)
		}
		return command
	}}
}

// privateCtl reaches the private node of this clone, if one runs. It is for brokers
// that were found by an address: that may lead there.
func privateCtl() []vhostAdmin {
	dir, err := Root()
	if err != nil {
		return nil
	}
	p := &private{dir: dir}
	if record, err := readProcess(p.path("rabbitmq.json")); err != nil || !record.alive() {
		return nil
	}
	return []vhostAdmin{p.ctl()}
}

// startBroker installs the package where it is missing and starts a node with a
// name, a port mapper and a cookie of its own: nothing is shared with a RabbitMQ
// that runs or will run on this machine.
//
// The node runs as the user who starts it, also as root: Mnesia asks access(2)
// whether it may write, and that call does not count the capability which lets
// PostgreSQL reach a clone below /root.
func (p *private) startBroker(ctx context.Context) (Broker, error) {
	began := time.Now()
	if _, err := os.Stat(instance.RabbitServer); err != nil {
		if err := p.install(ctx, "rabbitmq-server", minRabbit); err != nil {
			return Broker{}, errors.Join(errors.New("the package rabbitmq-server is not installed"), err)
		}
	}
	found, err := onFreePorts(p, func(ports ports) (Broker, error) { return p.startNode(ctx, ports) })
	if err == nil {
		p.report("the private RabbitMQ is ready after %s", time.Since(began).Round(100*time.Millisecond))
	}
	return found, err
}

func (p *private) startNode(ctx context.Context, ports ports) (Broker, error) {
	if _, err := instance.NewNode(p.nodeSettings(ports)); err != nil {
		return Broker{}, err
	}
	if err := p.startPortMapper(ctx, ports); err != nil {
		return Broker{}, err
	}
	server := identity{}.command(context.WithoutCancel(ctx), instance.RabbitServer)
	server.Env = append(server.Env, p.nodeSettings(ports).Environment()...)
	p.report("starting a private RabbitMQ on 127.0.0.1:%d, data in %s", ports.AMQP, p.path("rabbitmq"))
	record, err := spawn(server, p.path("rabbitmq.log"), p.path("rabbitmq.json"), ports.AMQP, syscall.SIGTERM)
	if err != nil {
		return Broker{}, fmt.Errorf("start RabbitMQ: %w", err)
	}
	return p.awaitBroker(ctx, record)
}

func (p *private) awaitBroker(ctx context.Context, record process) (found Broker, err error) {
	err = record.await(ctx, startTime, func() (err error) {
		if found, err = p.openBroker(ctx, record.Port); err != nil {
			return err
		}
		_, err = found.Vhosts(ctx) // proves that it is ours: another clone's may have taken the port meanwhile
		return err
	})
	if err != nil {
		log := p.path("rabbitmq.log")
		err = fmt.Errorf("the private RabbitMQ does not answer: %w; its log is %s and ends with: %s", err, log, endOfLog(log))
	}
	return found, err
}

func (p *private) nodeSettings(ports ports) instance.NodeSettings {
	return instance.NodeSettings{
		Name: rabbitNode, Dir: p.path("rabbitmq"), AMQP: ports.AMQP, Distribution: ports.Distribution, Mapper: ports.PortMapper,
	}
}

// startPortMapper starts Erlang's epmd for this node alone. A node would start
// one by itself, but that one would outlive it, and nobody would stop it.
func (p *private) startPortMapper(ctx context.Context, ports ports) error {
	if record, err := readProcess(p.path("epmd.json")); err == nil && record.alive() && record.Port == ports.PortMapper {
		return nil
	}
	command := identity{}.command(context.WithoutCancel(ctx), "epmd", "-port", strconv.Itoa(ports.PortMapper), "-address", "127.0.0.1")
	record, err := spawn(command, p.path("epmd.log"), p.path("epmd.json"), ports.PortMapper, syscall.SIGTERM)
	if err == nil {
		err = record.await(ctx, startTime, answersTwice(ctx, ports.PortMapper))
	}
	if err != nil {
		return fmt.Errorf("start epmd, Erlang's port mapper: %w", err)
	}
	return nil
}

// answersTwice waits until the port answers, and once more: where another program
// answers, the one that wanted the port has ended until then.
func answersTwice(ctx context.Context, port int) func() error {
	answers := 0
	return func() error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			return err
		}
		_ = conn.Close()
		if answers++; answers < 2 {
			return errors.New("it has just answered for the first time")
		}
		return nil
	}
}
