package services

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/instance"
)

// TestSomebodyElsesBroker has two brokers. The one that rabbitmqctl reaches and the
// one in AMQP_URL are not the same, and the former has a saga_demo of its own.
// Whatever the tools are told to do, it stays as it was.
func TestSomebodyElsesBroker(t *testing.T) {
	needServers(t)
	theirs, ours := newPrivate(t), newPrivate(t)
	postgres, err := ours.postgres(t.Context(), true)
	require.NoError(t, err)
	theirBroker, err := theirs.broker(t.Context(), true)
	require.NoError(t, err)
	ourBroker, err := ours.broker(t.Context(), true)
	require.NoError(t, err)
	furnish(t, theirs, theirBroker)
	before := contents(t, theirs)
	t.Cleanup(func() { require.Equal(t, before, contents(t, theirs)) })
	useAsSystemCtl(t, theirs)

	const database = TestPrefix + "left"
	require.NoError(t, postgres.CreateDatabase(t.Context(), database, ""))
	t.Run("two addresses", func(t *testing.T) {
		for range 2 {
			t.Setenv("AMQP_URL", forward(t, ourBroker.URL))
			broker, err := environment{}.broker(t.Context(), false)
			require.NoError(t, err)
			set := Set{Postgres: postgres, Broker: broker}
			_, err = set.Prepare(t.Context(), t.Logf)
			requireUnable(t, err)
			require.ErrorContains(t, err, "rabbitmqctl: "+errAnotherBroker.Error())
			requireUnable(t, set.Drop(t.Context(), t.Logf))
		}
		require.Equal(t, before, contents(t, theirs))
		databases, err := postgres.Databases(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{database}, databases, "the broker is proved before a database is made or dropped")
	})
	t.Run("all changes", func(t *testing.T) {
		broker, err := openBroker(t.Context(), "test", ourBroker.URL, systemCtl())
		require.NoError(t, err)
		for _, change := range []struct{ add, remove []string }{
			{nil, nil},
			{[]string{TestPrefix + "new"}, nil},
			{nil, []string{DemoVhost, TestPrefix + "old"}},
			{[]string{DemoVhost}, []string{TestPrefix + "old"}},
		} {
			_, err := broker.ChangeVhosts(t.Context(), change.add, change.remove)
			requireUnable(t, err)
		}
	})
	t.Run("virtual host that nobody here administers is borrowed", func(t *testing.T) {
		evaluate(t, ours, `rabbit_vhost:add(<<"saga_demo">>, <<"x">>),
			rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<"saga_demo">>, <<".*">>, <<".*">>, <<".*">>, <<"x">>).`)
		defer evaluate(t, ours, `rabbit_vhost:delete(<<"saga_demo">>, <<"x">>).`)
		broker, err := openBroker(t.Context(), "test", ourBroker.URL, systemCtl())
		require.NoError(t, err)
		borrowed, err := broker.prepare(t.Context(), t.Logf, Sample)
		require.NoError(t, err)
		require.True(t, borrowed)
		_, err = ourBroker.prepare(t.Context(), t.Logf, Sample)
		require.ErrorAs(t, err, &Foreign{}, "who sees that it has no mark leaves it alone")
		require.ErrorContains(t, err, "rabbitmqctl delete_vhost saga_demo")
	})
	t.Run("virtual host that the user has lent", func(t *testing.T) {
		evaluate(t, ours, `rabbit_vhost:add(<<"mine">>, <<"x">>),
			rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<"mine">>, <<".*">>, <<".*">>, <<".*">>, <<"x">>).`)
		broker, err := openBroker(t.Context(), "test", ourBroker.Vhost("mine"), systemCtl())
		require.NoError(t, err)
		borrowed, err := broker.prepare(t.Context(), t.Logf, Sample)
		require.NoError(t, err)
		require.True(t, borrowed)
		require.Equal(t, broker.URL, broker.Demo())
		require.NoError(t, Set{Postgres: postgres, Broker: broker}.Drop(t.Context(), t.Logf))
		databases, err := postgres.Databases(t.Context())
		require.NoError(t, err)
		require.Empty(t, databases)
	})
	ourAPI, theirAPI := manage(t, ours), manage(t, theirs)
	t.Run("management API of another broker", func(t *testing.T) {
		broker, err := openBroker(t.Context(), "test", ourBroker.URL, theirAPI)
		require.NoError(t, err)
		_, err = broker.ChangeVhosts(t.Context(), []string{TestPrefix + "new"}, []string{DemoVhost})
		requireUnable(t, err)
		require.ErrorContains(t, err, errAnotherBroker.Error())
	})
	for _, admin := range []vhostAdmin{ours.ctl(), ourAPI} {
		t.Run("marks seen by "+admin.name(), func(t *testing.T) { testMarks(t, ours, ourBroker.URL, admin) })
	}
}

// testMarks has the means that administers the broker change what is ours and what
// is not.
func testMarks(t *testing.T, p *private, address string, admin vhostAdmin) {
	broker, err := openBroker(t.Context(), "test", forward(t, address), admin) // as through a proxy
	require.NoError(t, err)
	const one, other, foreign = TestPrefix + "one", TestPrefix + "other", TestPrefix + "foreign"
	evaluate(t, p, `rabbit_vhost:add(<<"`+foreign+`">>, <<"x">>).`)
	defer evaluate(t, p, `rabbit_vhost:delete(<<"`+foreign+`">>, <<"x">>).`)

	present, err := broker.ChangeVhosts(t.Context(), []string{one, other}, nil)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{one, other}, present)
	_, err = ping(t.Context(), broker.Vhost(one))
	require.NoError(t, err, "the user has rights there")

	_, err = broker.ChangeVhosts(t.Context(), []string{foreign}, []string{one})
	require.ErrorAs(t, err, &Foreign{})
	_, err = ping(t.Context(), broker.Vhost(foreign))
	require.Error(t, err, "no rights are given in what is not ours")
	present, err = broker.ChangeVhosts(t.Context(), nil, []string{foreign, one})
	require.NoError(t, err)
	require.Equal(t, []string{other}, present)
	require.Contains(t, contents(t, p), foreign, "only what is marked is deleted")
	present, err = broker.ChangeVhosts(t.Context(), nil, []string{other, one})
	require.NoError(t, err)
	require.Empty(t, present)
}

func requireUnable(t *testing.T, err error) {
	t.Helper()
	var unable *UnableError
	require.ErrorAs(t, err, &unable)
}

// needServers skips where there are no programs to start servers from.
func needServers(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starting servers takes seconds")
	}
	_, noPostgres := newestPostgres()
	_, noRabbit := os.Stat(instance.RabbitServer)
	if (noPostgres != nil || noRabbit != nil) && os.Getenv("CI") == "" {
		t.Skipf("install PostgreSQL and rabbitmq-server to run this: %v, %v", noPostgres, noRabbit)
	}
}

// newPrivate is a place for private servers, which stop with the test. Only its
// owner may enter.
func newPrivate(t *testing.T) *private {
	t.Helper()
	closed := filepath.Join(t.TempDir(), "closed")
	require.NoError(t, os.Mkdir(closed, 0o700))
	p := &private{dir: closed, report: t.Logf}
	require.NoError(t, os.Mkdir(p.path(), 0o755))
	t.Cleanup(func() { require.NoError(t, p.down(context.Background())) })
	return p
}

// furnish gives the broker what somebody may have there: virtual hosts with names
// like ours, a user with rights of their own, and a queue with a message in it.
func furnish(t *testing.T, p *private, broker Broker) {
	t.Helper()
	evaluate(t, p, `[begin
			rabbit_vhost:add(V, <<"x">>),
			rabbit_auth_backend_internal:set_permissions(<<"guest">>, V, <<"^none$">>, <<".*">>, <<".*">>, <<"x">>)
		end || V <- [<<"saga_demo">>, <<"saga_test_old">>, <<"saga_test_0_young">>]],
		rabbit_auth_backend_internal:add_user(<<"somebody">>, <<"secret">>, <<"x">>),
		rabbit_auth_backend_internal:set_permissions(<<"somebody">>, <<"saga_demo">>, <<".*">>, <<".*">>, <<".*">>, <<"x">>).`)
	address, err := url.Parse(broker.Vhost(DemoVhost))
	require.NoError(t, err)
	address.User = url.UserPassword("somebody", "secret")
	connection, err := amqp.Dial(address.String())
	require.NoError(t, err)
	channel, err := connection.Channel()
	require.NoError(t, err)
	_, err = channel.QueueDeclare("orders", true, false, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, channel.Confirm(false))
	confirm, err := channel.PublishWithDeferredConfirmWithContext(t.Context(), "", "orders", false, false,
		amqp.Publishing{Body: []byte("one"), DeliveryMode: amqp.Persistent})
	require.NoError(t, err)
	require.True(t, confirm.Wait())
	require.NoError(t, connection.Close())
	require.Eventually(t, func() bool { return strings.Contains(contents(t, p), "{messages,1}") }, startTime, time.Second)
}

// contents are the broker's virtual hosts with descriptions, permissions and queues,
// and its users.
func contents(t *testing.T, p *private) string {
	t.Helper()
	return evaluate(t, p, `{rabbit_auth_backend_internal:list_users(), [{V, vhost:get_metadata(rabbit_vhost:lookup(V)),
		rabbit_auth_backend_internal:list_vhost_permissions(V),
		rabbit_amqqueue:info_all(V, [name, messages])} || V <- lists:sort(rabbit_vhost:list_names())]}.`)
}

// evaluator does what `rabbitmqctl eval` does, and takes a quarter of its time: Erlang
// without Elixir.
const evaluator = `{ok, Words, _} = erl_scan:string(os:getenv("PROGRAM")), {ok, Program} = erl_parse:parse_exprs(Words),
	case rpc:call(list_to_atom(os:getenv("RABBITMQ_NODENAME")), erl_eval, exprs, [Program, []]) of
		{value, Value, _} -> io:format("~tp", [Value]), halt(0);
		Error -> io:format("~tp", [Error]), halt(1)
	end.`

func evaluate(t *testing.T, p *private, program string) string {
	t.Helper()
	command := exec.CommandContext(context.Background(), "erl", "-noinput", "-hidden", "-boot", "start_clean",
		"-sname", "evaluator"+rand.Text()+"@localhost", "-eval", evaluator)
	command.Env = append(p.ctl().(ctl).command(context.Background()).Env, "PROGRAM="+program)
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// useAsSystemCtl puts a rabbitmqctl first on the PATH that reaches p's node, as the
// machine's own reaches the default one.
func useAsSystemCtl(t *testing.T, p *private) {
	t.Helper()
	command := p.ctl().(ctl).command(t.Context())
	var script strings.Builder
	script.WriteString("#!/bin/sh\n")
	for _, variable := range command.Env {
		name, value, _ := strings.Cut(variable, "=")
		fmt.Fprintf(&script, "export %s='%s'\n", name, value)
	}
	fmt.Fprintf(&script, "exec %s \"$@\"\n", strings.Join(command.Args, " "))
	bin := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bin, "rabbitmqctl"), []byte(script.String()), 0o755))
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// manage enables the management plugin of p's node on a port that the node chooses.
func manage(t *testing.T, p *private) vhostAdmin {
	t.Helper()
	evaluate(t, p, `application:load(rabbitmq_management),
		application:set_env(rabbitmq_management, tcp_config, [{ip, "127.0.0.1"}, {port, 0}]).`)
	ctl := p.ctl().(ctl).command(t.Context())
	enable := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(instance.RabbitCtl), "rabbitmq-plugins"), "-n", rabbitNode, "enable", "rabbitmq_management")
	enable.Env = ctl.Env
	out, err := enable.CombinedOutput()
	require.NoError(t, err, "%s", out)
	port := strings.TrimSpace(evaluate(t, p, `[P] = [ranch:get_port(R) || {R, #{protocol := cowboy_clear}} <- maps:to_list(ranch:info())], P.`))
	_, err = strconv.Atoi(port)
	require.NoError(t, err, port)
	admin := managementOf(&url.URL{Scheme: "amqp", Host: "127.0.0.1"}).(*management)
	admin.base.Host = "127.0.0.1:" + port
	admin.wait = 8 * time.Second // two of the API's collections
	return admin
}

// forward is the address through a port of the test's own, as a proxy in front of
// the broker has.
func forward(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	target := u.Host
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1])
					_ = pair[0].Close()
				}()
			}
		}
	}()
	u.Host = listener.Addr().String()
	return u.String()
}
