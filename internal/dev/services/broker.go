package services

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

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
	// change deletes and adds virtual hosts, gives user all rights in the added
	// ones, and returns the names saga_* that exist afterwards.
	change(ctx context.Context, user string, add, remove []string) ([]string, error)
}

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

// ChangeVhosts deletes and adds virtual hosts in one call, for a call is slow,
// and returns the names saga_* that exist afterwards.
func (b Broker) ChangeVhosts(ctx context.Context, add, remove []string) ([]string, error) {
	for _, name := range append(add[:len(add):len(add)], remove...) {
		if !strings.HasPrefix(name, Prefix) {
			return nil, fmt.Errorf("virtual host %q: the project changes only virtual hosts named %s*", name, Prefix)
		}
	}
	u, err := url.Parse(b.URL)
	if err != nil {
		return nil, errors.New("the address of RabbitMQ is not a URL")
	}
	var tried []error
	for _, admin := range b.admins {
		present, err := admin.change(ctx, u.User.Username(), add, remove)
		if err == nil && len(add) > 0 {
			err = b.check(ctx, admin, add)
		}
		if err == nil {
			return present, nil
		}
		tried = append(tried, fmt.Errorf("%s: %w", admin.name(), err))
	}
	return nil, fmt.Errorf(`create or delete virtual hosts of RabbitMQ: AMQP cannot do it, and no other means works: %w
Run this as root on the broker's machine (rabbitmqctl), or enable its management plugin (rabbitmq-plugins enable rabbitmq_management)`,
		errors.Join(tried...))
}

// check tells whether the broker that admin changed is the one behind the URL:
// rabbitmqctl talks to the machine's default node, whatever AMQP_URL says.
func (b Broker) check(ctx context.Context, admin vhostAdmin, added []string) error {
	_, err := ping(ctx, b.Vhost(added[0]))
	if err == nil {
		return nil
	}
	_, undo := admin.change(ctx, "", nil, added)
	return errors.Join(fmt.Errorf("it seems to administer another broker: %w", err), undo)
}

// Vhosts lists the virtual hosts that the project made.
func (b Broker) Vhosts(ctx context.Context) ([]string, error) { return b.ChangeVhosts(ctx, nil, nil) }

// ping logs in to the virtual host in the URL and returns the broker's version.
func ping(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	return rabbit.Ping(ctx, rabbit.Config{
		Name: "services",
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
