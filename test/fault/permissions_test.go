package fault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	sagasql "go.example/saga/sql"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox/quarantine"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
)

// permission is what docs/roles.md gives a user of the broker.
type permission struct {
	user  string
	names []string // patterns: configure, write and read
}

func documentedPermissions(t *testing.T) (all []permission) {
	t.Helper()
	root, err := services.Root()
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "docs", "roles.md"))
	require.NoError(t, err)
	command := regexp.MustCompile(`set_permissions (\w+) \\\n +'(.*)' \\\n +'(.*)' \\\n +'(.*)'`)
	for _, found := range command.FindAllStringSubmatch(string(page), -1) {
		all = append(all, permission{found[1], found[2:]})
	}
	return all
}

// permit gives users, with their name as password, their permissions in a virtual host
// of the same name.
func (n *node) permit(all ...permission) {
	n.Helper()
	var act strings.Builder
	for _, p := range all {
		fmt.Fprintf(&act, "rabbit_vhost:add(<<%[1]q>>, <<\"test\">>), rabbit_auth_backend_internal:add_user(<<%[1]q>>, <<%[1]q>>, <<\"test\">>),\n"+
			"rabbit_auth_backend_internal:set_permissions(<<%[1]q>>, <<%[1]q>>, <<%[2]q>>, <<%[3]q>>, <<%[4]q>>, <<\"test\">>),\n",
			p.user, p.names[0], p.names[1], p.names[2])
	}
	n.ctl("eval", act.String()+"ok.")
}

// as is the configuration of a user in its own virtual host.
func (n *node) as(user string) rabbit.Config {
	url := strings.Replace(n.URL, "guest:guest", user+":"+user, 1)
	url = url[:strings.LastIndex(url, "/")+1] + user
	return rabbit.Config{Name: "test", URL: func(context.Context) (string, error) { return url, nil }}
}

// The permissions of the page are enough where nothing has been declared yet, and one name
// less in any of them is refused.
func TestDocumentedPermissions(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	consumes := func(owner sagasql.Service, topology rabbit.Topology, queue string) func(rabbit.Config) error {
		return func(cfg rabbit.Config) error {
			consumer, err := rabbit.OpenConsumer(t.Context(), cfg, topology, queue, 1)
			if err != nil {
				return err
			}
			err = errors.Join(putOneBack(t.Context(), consumer, queue), consumer.Close())
			drain, failed := rabbit.OpenDeadLetters(t.Context(), cfg, owner, 1)
			if failed == nil {
				failed = drain.Close()
			}
			return errors.Join(err, failed)
		}
	}
	service := func(name string) sagasql.Service { return sagasql.Service{Name: name, ID: testenv.Owner.ID} }
	hotel, reservation := service("hotel"), service("reservation")
	works := map[string]func(rabbit.Config) error{
		"saga_relay":        func(cfg rabbit.Config) error { return publishEverywhere(t.Context(), cfg) },
		"saga_orchestrator": consumes(reservation, rabbit.ReplyTopology(reservation), protocol.ReplyQueue("reservation")),
		"saga_participant":  consumes(hotel, rabbit.CommandTopology(hotel), protocol.CommandQueue("hotel")),
		"saga_listener":     consumes(reservation, rabbit.EventTopology(reservation, protocol.EventQueue("reservation"), "reservation.room-reservation.*"), protocol.EventQueue("reservation")),
	}
	all := documentedPermissions(t)
	require.Len(t, all, len(works))
	var less []permission
	for _, p := range all {
		less = append(less, p.withOneNameLess()...)
	}
	require.Greater(t, len(less), 2*3*len(all))
	n.permit(append(all, less...)...)
	for _, p := range all {
		require.NoError(t, works[p.user](n.as(p.user)), p.user)
	}
	// Who consumes a participant's queue is no secret from the orchestrator.
	const vhost = "saga_orchestrator"
	n.ctl("set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")
	guest := rabbit.Config{Name: "test", URL: func(context.Context) (string, error) {
		return n.URL[:strings.LastIndex(n.URL, "/")+1] + vhost, nil
	}}
	require.NoError(t, rabbit.Declare(t.Context(), guest, rabbit.CommandTopology(hotel)))
	queue := protocol.CommandQueue("hotel")
	lookout := rabbit.Lookout{Config: n.as(vhost)}
	states, err := lookout.Look(t.Context(), queue, "nowhere")
	require.NoError(t, err)
	require.Equal(t, []rabbit.QueueState{{Name: queue, Exists: true}, {Name: "nowhere"}}, states)
	require.NoError(t, lookout.Close())
	for _, p := range less {
		user, _, _ := strings.Cut(p.user, "-")
		require.ErrorContains(t, works[user](n.as(p.user)), "ACCESS_REFUSED", "%s needs no more than %q", user, p.names)
	}
}

// withOneNameLess are the permissions without each of their names, of users of their own.
func (p permission) withOneNameLess() (all []permission) {
	name := regexp.MustCompile(`[a-z]+(\\\.[a-z-]+)*\b`)
	for i, pattern := range p.names {
		for _, at := range name.FindAllStringIndex(pattern, -1) {
			if at[1] < len(pattern) && pattern[at[1]] == '\\' { // "saga\.(": a prefix
				continue
			}
			names := append([]string{}, p.names...)
			names[i] = pattern[:at[0]] + "none" + pattern[at[1]:]
			all = append(all, permission{fmt.Sprintf("%s-%d", p.user, len(all)), names})
		}
	}
	return all
}

// publishEverywhere sends what the protocol's messages are sent to, and the default exchange.
func publishEverywhere(ctx context.Context, cfg rabbit.Config) error {
	publisher, err := rabbit.OpenPublisher(ctx, cfg, 8)
	if err != nil {
		return err
	}
	defer func() { _ = publisher.Close() }()
	for _, exchange := range []string{protocol.ExchangeCommands, protocol.ExchangeEvents, ""} {
		m := outbox.Message{
			ID: uuid.New(), AggregateType: "test", AggregateID: "k", Type: "m", Exchange: exchange, RoutingKey: protocol.QueueUnheard, Payload: []byte("{}"),
		}
		wait, err := publisher.Publish(ctx, &outbox.Record{Message: m})
		if err != nil {
			return err
		}
		if err := wait(ctx); err != nil && !errors.Is(err, outbox.ErrUnroutable) {
			return err
		}
	}
	return publisher.Err()
}

// putOneBack has a consumer publish what it has set aside.
func putOneBack(ctx context.Context, consumer *rabbit.Consumer, queue string) error {
	way, err := consumer.Return(ctx)
	if err != nil {
		return err
	}
	return errors.Join(way.PutBack(ctx, quarantine.Original{Queue: queue, Properties: []byte(`{}`), Headers: []byte(`{}`)}), way.Close())
}
