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
	var chosen ports
	path := p.path("ports.json")
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &chosen)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return chosen, fmt.Errorf("the ports of the private instances: %w", err)
	}
	before, next := chosen, firstPort
	for _, entry := range []struct {
		port   *int
		server string
	}{{&chosen.Postgres, "postgres"}, {&chosen.AMQP, "rabbitmq"}, {&chosen.Distribution, "rabbitmq"}, {&chosen.PortMapper, "epmd"}} {
		record, err := readProcess(p.path(entry.server + ".json"))
		running := err == nil && record.alive()
		if *entry.port != 0 && (running || free(*entry.port)) {
			continue
		}
		for !free(next) {
			next++
		}
		*entry.port = next
		next++
	}
	if chosen == before {
		return chosen, nil
	}
	return chosen, writeJSON(path, chosen)
}

func free(port int) bool {
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	return err == nil && listener.Close() == nil
}
