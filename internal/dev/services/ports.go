package services

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
)

// ports are those of the private instances. They are chosen once, so that the
// addresses stay the same from one start to the next.
type ports struct {
	Postgres     int `json:"postgres"`
	AMQP         int `json:"amqp"`
	Distribution int `json:"distribution"`
	PortMapper   int `json:"portMapper"`
}

// firstPort is where the search begins: below the ports that the kernel gives to
// outgoing connections.
const firstPort = 15432

// ports reads the ports, or chooses them. A stopped instance whose port is taken
// meanwhile gets another one.
func (p *private) ports() (ports, error) {
	before, err := p.readPorts()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return before, err
	}
	chosen := before.fill(func(server string) bool {
		record, err := readProcess(p.path(server + ".json"))
		return err == nil && record.alive()
	}, free)
	if chosen == before {
		return chosen, nil
	}
	return chosen, writeJSON(p.path("ports.json"), chosen)
}

// readPorts are those that were chosen last.
func (p *private) readPorts() (chosen ports, err error) {
	text, err := os.ReadFile(p.path("ports.json"))
	if err == nil {
		err = json.Unmarshal(text, &chosen)
	}
	if err != nil {
		return ports{}, fmt.Errorf("the ports of the private instances: %w", err)
	}
	return chosen, nil
}

// starts bounds how often a server is started on other ports.
const starts = 5

// onFreePorts starts a server, and starts it again on other ports when it ended
// because somebody has taken one meanwhile. That a port is free is only known when
// the server itself listens on it: until then another clone may choose the same.
func onFreePorts[S any](p *private, start func(ports) (S, error)) (found S, err error) {
	chosen, err := p.ports()
	for range starts {
		if err != nil {
			break
		}
		if found, err = start(chosen); err == nil {
			break
		}
		before, failure := chosen, err
		if chosen, err = p.ports(); err != nil || chosen == before {
			return found, failure
		}
		p.report("another program has taken a port meanwhile, so on other ones: %v", failure)
	}
	return found, err
}

// fill chooses the ports that are not chosen, and anew those that a server that does not
// run has lost to somebody.
func (p ports) fill(running func(server string) bool, free func(port int) bool) ports {
	next := firstPort
	given := func(port int) bool {
		return port == p.Postgres || port == p.AMQP || port == p.Distribution || port == p.PortMapper
	}
	for _, entry := range []struct {
		port   *int
		server string
	}{{&p.Postgres, "postgres"}, {&p.AMQP, "rabbitmq"}, {&p.Distribution, "rabbitmq"}, {&p.PortMapper, "epmd"}} {
		if *entry.port != 0 && (running(entry.server) || free(*entry.port)) {
			continue
		}
		for given(next) || !free(next) {
			next++
		}
		*entry.port = next
	}
	return p
}

func free(port int) bool {
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	return err == nil && listener.Close() == nil
}
