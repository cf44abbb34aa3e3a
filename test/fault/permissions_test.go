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
	"time"

	sagasql "go.example/saga/sql"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/inbox/quarantine"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
)

// permission is what docs/roles.md gives a user of the broker.
type permission struct {
	user  string
	vhost string
	names []string // patterns: configure, write and read
}

// where says who declares the topology: the programs, or an administrator.
func documentedPermissions(t *testing.T, where string) (all []permission) {
	t.Helper()
	root, err := services.Root()
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "docs", "roles.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n### Where "+where+"\n")
	require.True(t, found, where)
	section, _, _ = strings.Cut(section, "\n### ")
	command := regexp.MustCompile(`set_permissions (\w+) \\\n +'(.*)' \\\n +'(.*)' \\\n +'(.*)'`)
	for _, found := range command.FindAllStringSubmatch(section, -1) {
		all = append(all, permission{found[1], found[1], found[2:]})
	}
	return all
}

// permit gives users, with their name as password, their permissions. Virtual hosts are made
// where they are not there.
func (n *node) permit(all ...permission) {
	n.Helper()
	var act strings.Builder
	for _, p := range all {
		fmt.Fprintf(&act, "rabbit_vhost:exists(<<%[2]q>>) orelse rabbit_vhost:add(<<%[2]q>>, <<\"test\">>), rabbit_auth_backend_internal:add_user(<<%[1]q>>, <<%[1]q>>, <<\"test\">>),\n"+
			"rabbit_auth_backend_internal:set_permissions(<<%[1]q>>, <<%[2]q>>, <<%[3]q>>, <<%[4]q>>, <<%[5]q>>, <<\"test\">>),\n",
			p.user, p.vhost, p.names[0], p.names[1], p.names[2])
	}
	n.ctl("eval", act.String()+"ok.")
}

// as is the configuration of a user.
func (n *node) as(p permission) rabbit.Config { return n.config(p.user, p.vhost) }

// guest is that of an administrator in a virtual host.
func (n *node) guest(vhost string) rabbit.Config { return n.config("guest", vhost) }

func (n *node) config(user, vhost string) rabbit.Config {
	url := strings.Replace(n.URL, "guest:guest", user+":"+user, 1)
	url = url[:strings.LastIndex(url, "/")+1] + vhost
	return rabbit.Config{Name: "test", URL: func(context.Context) (string, error) { return url, nil }}
}

// works are what users of the broker have to do, by user.
func works(t *testing.T) map[string]func(rabbit.Config) error {
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
	return map[string]func(rabbit.Config) error{
		"saga_relay":        func(cfg rabbit.Config) error { return publishEverywhere(t.Context(), cfg) },
		"saga_orchestrator": consumes(reservation, rabbit.ReplyTopology(reservation), protocol.ReplyQueue("reservation")),
		"saga_participant":  consumes(hotel, rabbit.CommandTopology(hotel), protocol.CommandQueue("hotel")),
		"saga_listener":     consumes(reservation, listening, protocol.EventQueue("reservation")),
		"saga_conformance":  func(cfg rabbit.Config) error { return converse(t.Context(), cfg) },
	}
}

var (
	hotel       = sagasql.Service{Name: "hotel", ID: testenv.Owner.ID}
	payment     = sagasql.Service{Name: "payment", ID: testenv.Owner.ID}
	reservation = sagasql.Service{Name: "reservation", ID: testenv.Owner.ID}
	listening   = rabbit.EventTopology(reservation, protocol.EventQueue("reservation"), "reservation.room-reservation.*")
)

// told are the error of some work and what was amiss beside.
func told(work func(rabbit.Config) error, cfg rabbit.Config) error {
	cfg.Remarks = &rabbit.Remarks{}
	all := []error{work(cfg)}
	for _, remark := range cfg.Remarks.All() {
		all = append(all, remark.Err)
	}
	return errors.Join(all...)
}

// The permissions of the page are enough, and one name less in any of them is told.
func TestDocumentedPermissions(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	n.needsEach("the programs declare", "", 4)
	n.needsEach("an administrator declares", served, 4)
	n.needsEach("a participant is checked", served, 1)

	// Who consumes a participant's queue is no secret from the orchestrator.
	queue := protocol.CommandQueue("payment")
	lookout := rabbit.Lookout{Config: n.config(served+"saga_orchestrator", served)}
	states, err := lookout.Look(t.Context(), queue, "nowhere")
	require.NoError(t, err)
	require.Equal(t, []rabbit.QueueState{{Name: queue, Exists: true}, {Name: "nowhere"}}, states)
	require.NoError(t, lookout.Close())
}

// served is a virtual host where an administrator has declared all, and begins its users' names.
const served = "served."

// needsEach holds the permissions of a section of the page to what they do: in the given virtual
// host, or each user in an empty one of its own.
func (n *node) needsEach(where, vhost string, users int) {
	n.Helper()
	works, all := works(n.T), documentedPermissions(n.T, where)
	require.Len(n, all, users)
	var less []permission
	for i := range all {
		if vhost != "" {
			all[i].user, all[i].vhost = vhost+all[i].user, vhost
		}
		less = append(less, all[i].withOneNameLess()...)
	}
	require.Greater(n, len(less), 2*len(all))
	n.permit(append(all, less...)...)
	if vhost != "" {
		n.declareAll(vhost)
	}
	for _, p := range all {
		require.NoError(n, told(works[strings.TrimPrefix(p.user, vhost)], n.as(p)), "%s where %s", p.user, where)
	}
	for _, p := range less {
		user, _, _ := strings.Cut(strings.TrimPrefix(p.user, vhost), "-")
		var err error
		require.Eventually(n, func() bool {
			err = told(works[user], n.as(p))
			return err != nil
		}, patience, time.Millisecond, "%s needs no more than %q where %s", user, p.names, where)
		require.ErrorContains(n, err, "ACCESS_REFUSED", "%s has no more than %q", user, p.names)
	}
}

// declareAll is an administrator's work.
func (n *node) declareAll(vhost string) {
	n.Helper()
	n.ctl("set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")
	for _, topology := range []rabbit.Topology{
		rabbit.PublisherTopology(), rabbit.CommandTopology(hotel), rabbit.CommandTopology(payment), rabbit.ReplyTopology(reservation), listening,
	} {
		require.NoError(n, rabbit.Declare(n.Context(), n.guest(vhost), topology))
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
			less := permission{fmt.Sprintf("%s-%d", p.user, len(all)), p.vhost, names}
			if p.vhost == p.user {
				less.vhost = less.user
			}
			all = append(all, less)
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

// converse is what `orchestrator conformance` does.
func converse(ctx context.Context, cfg rabbit.Config) error {
	d, err := rabbit.OpenDialogue(ctx, cfg, protocol.ReplyQueue("conformance-"+uuid.NewString()[:8]))
	if err != nil {
		return err
	}
	err = d.Send(ctx, inbox.Delivery{Exchange: protocol.ExchangeCommands, RoutingKey: "hotel"})
	return errors.Join(err, d.Close(false))
}

// putOneBack has a consumer publish what it has set aside.
func putOneBack(ctx context.Context, consumer *rabbit.Consumer, queue string) error {
	way, err := consumer.Return(ctx)
	if err != nil {
		return err
	}
	return errors.Join(way.PutBack(ctx, quarantine.Original{Queue: queue, Properties: []byte(`{}`), Headers: []byte(`{}`)}), way.Close())
}
