package services

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.example/saga/pkg/rabbit"
)

// Broker is a RabbitMQ server.
type Broker struct {
	// URL reaches the server; its path is a virtual host that exists already.
	URL string
	// Way says how the server was found or started.
	Way string
	// Version is the server's version.
	Version string

	admins []vhostAdmin
}

// vhostAdmin is one means to create and delete virtual hosts: AMQP itself has none.
type vhostAdmin interface {
	name() string
	// change deletes and adds virtual hosts of the broker that has the connection
	// named proof, gives that connection's user all rights in the added ones, and
	// returns the names of those that bear our [Mark] afterwards. It deletes only
	// such.
	//
	// Where it administers another broker it changes nothing and returns
	// errAnotherBroker. One to be added that exists without our mark is a
	// [Foreign] error, and then nothing is changed either.
	change(ctx context.Context, proof string, add, remove []string) ([]string, error)
}

var errAnotherBroker = errors.New("it administers another broker than the one in the URL")

// openBroker connects once and checks the version.
func openBroker(ctx context.Context, way, address string, admins ...vhostAdmin) (Broker, error) {
	version, err := ping(ctx, address)
	if err != nil {
		return Broker{}, err
	}
	if older(version, minRabbit) {
		return Broker{}, fmt.Errorf("RabbitMQ there is version %s, older than %s", version, minRabbit)
	}
	return Broker{URL: address, Way: way, Version: version, admins: admins}, nil
}

// Vhost is the URL of another virtual host of the server.
func (b Broker) Vhost(name string) string { return withPath(b.URL, name) }

// named is the virtual host in the URL's path; empty for the broker's default one,
// which nobody has chosen for us.
func (b Broker) named() string {
	u, err := url.Parse(b.URL)
	if err != nil {
		panic("services: an address that was checked does not parse") // openBroker logged in with it
	}
	name := strings.TrimPrefix(u.Path, "/")
	if name == "/" {
		return ""
	}
	return name
}

// ChangeVhosts deletes and adds virtual hosts in one call, for a call is slow,
// and returns the names of all that the project made. Those in remove that are
// not marked as ours stay; one in add that exists and is not is a [Foreign] error.
//
// rabbitmqctl talks to the machine's default node, whatever AMQP_URL says, and the
// management API on the same host may belong to yet another broker. So a connection
// with a random name is held open meanwhile, and only a means that sees it works.
func (b Broker) ChangeVhosts(ctx context.Context, add, remove []string) ([]string, error) {
	for _, name := range append(add[:len(add):len(add)], remove...) {
		if !strings.HasPrefix(name, Prefix) {
			return nil, fmt.Errorf("virtual host %q: the project changes only virtual hosts named %s*", name, Prefix)
		}
	}
	proof := Prefix + "proof_" + rand.Text()
	connection, err := connect(ctx, proof, b.URL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = connection.Close() }() // it has done its part
	unable := &UnableError{}
	for _, admin := range b.admins {
		present, err := bounded(ctx, admin, proof, add, remove)
		var foreign Foreign
		if err == nil || errors.As(err, &foreign) {
			return present, err
		}
		unable.tried = append(unable.tried, fmt.Sprintf("%s: %v", admin.name(), err))
	}
	return nil, unable
}

// changeTime bounds one change: a node that hangs keeps rabbitmqctl waiting.
const changeTime = time.Minute

func bounded(ctx context.Context, admin vhostAdmin, proof string, add, remove []string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	return admin.change(ctx, proof, add, remove)
}

// UnableError says that no means administers the broker in the URL.
type UnableError struct{ tried []string }

func (e *UnableError) Error() string {
	return "create, list or delete virtual hosts of RabbitMQ: AMQP cannot do it, and no other means is proved to administer " +
		"the broker in the URL. No virtual host was changed. Tried:\n  " + strings.Join(e.tried, "\n  ") + `
One of these helps:
  run this as root on the broker's machine; RABBITMQ_NODENAME names the node where it is not the machine's default one
  enable the broker's management plugin: rabbitmq-plugins enable rabbitmq_management
  use another broker: set AMQP_URL, or SAGA_SERVICES=compose or private`
}

// Vhosts lists the virtual hosts that the project made.
func (b Broker) Vhosts(ctx context.Context) ([]string, error) { return b.ChangeVhosts(ctx, nil, nil) }

// ping logs in to the virtual host in the URL and returns the broker's version.
func ping(ctx context.Context, address string) (string, error) {
	connection, err := connect(ctx, "services", address)
	if err != nil {
		return "", err
	}
	return connection.Version, connection.Close()
}

func connect(ctx context.Context, name, address string) (*rabbit.Connection, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	return rabbit.Connect(ctx, rabbit.Config{
		Name: name,
		URL:  func(context.Context) (string, error) { return address, nil },
	})
}

// older compares the first two numbers of versions; what does not parse is not older.
func older(version, than string) bool {
	major, minor := twoNumbers(version)
	wantMajor, wantMinor := twoNumbers(than)
	return major >= 0 && (major < wantMajor || major == wantMajor && minor < wantMinor)
}

func twoNumbers(version string) (major, minor int) {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	major, err := strconv.Atoi(first)
	if err != nil {
		return -1, 0
	}
	minor, _ = strconv.Atoi(second) // a missing minor version counts as 0
	return major, minor
}
