package orchestratorcmd_test

import (
	"context"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/orchestratorcmd"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

const (
	soon = 20 * time.Second
	tick = 20 * time.Millisecond
)

// The daemon waits for its tables, says when it is ready, leads a saga from its queue
// to its next step, and stops when it is told to.
func TestRun(t *testing.T) {
	b := empty(t)
	t.Setenv("AMQP_URL", testenv.Vhost(t))
	addr := freeAddr(t)
	t.Setenv("HEALTH_ADDR", addr)
	t.Setenv("LOG_LEVEL", "error")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	root := orchestratorcmd.New()
	root.SetArgs([]string{"run"})
	go func() { ended <- cli.Run(ctx, root) }()
	healthy := func(want int, text string) {
		t.Helper()
		require.Eventually(t, func() bool {
			code, _, errs := run(t, "healthcheck", "--addr", addr)
			return code == want && strings.Contains(errs, text)
		}, soon, tick)
	}
	healthy(cli.ExitFailed, "not ready: check: tables: ")
	b.ok("migrate")
	b.ok("definition", "apply", b.file)
	id := b.saga("K-1")
	healthy(cli.ExitOK, "")

	b.publishReply(id)
	require.Eventually(t, func() bool {
		_, out, _ := run(t, "saga", "show", id)
		return strings.Contains(out, "hotel ✓ → flight …")
	}, soon, tick)
	stop()
	require.Equal(t, cli.ExitOK, <-ended)
}

// freeAddr is an address on which nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// publishReply answers the saga's first command as a participant would.
func (b *bench) publishReply(id string) {
	b.Helper()
	sagaID := saga.ID(uuid.MustParse(id))
	m, err := protocol.ReplyMessage(protocol.Command{
		MessageID: protocol.CommandID(sagaID, "hotel", saga.Request, 1), SagaID: sagaID, SagaType: "trip",
		Step: "hotel", Operation: saga.Request, Attempt: 1, ReplyTo: protocol.ReplyQueue(testenv.Service),
	}, protocol.Reply{Outcome: saga.OutcomeSucceeded})
	require.NoError(b, err)
	url := os.Getenv("AMQP_URL")
	publisher, err := rabbit.OpenPublisher(b.Context(), rabbit.Config{
		Name: "test", URL: func(context.Context) (string, error) { return url, nil },
	}, 1)
	require.NoError(b, err)
	defer publisher.Close()
	wait, err := publisher.Publish(b.Context(), &outbox.Record{Message: m})
	require.NoError(b, err)
	require.NoError(b, wait(b.Context()))
}

// A daemon whose role lacks a right takes no reply, and says which statement gives it. What
// is taken away while it runs, it tells too, although nothing happens.
func TestRunProvesItsRights(t *testing.T) {
	b := setup(t)
	role := testenv.Role(t, b.db, testenv.Grants(slices.Concat(inbox.Rights, sagapg.RightsToDrive[1:])...)...)
	name := role.Config().ConnConfig.User
	t.Setenv("DATABASE_URL", strings.Replace(b.db.Config().ConnString(), "//postgres@", "//"+name+"@", 1))
	t.Setenv("AMQP_URL", testenv.Vhost(t))
	addr := freeAddr(t)
	t.Setenv("HEALTH_ADDR", addr)
	t.Setenv("LOG_LEVEL", "error")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	root := orchestratorcmd.New()
	root.SetArgs([]string{"run"})
	go func() { ended <- cli.Run(ctx, root) }()
	healthy := func(want int, text string) {
		t.Helper()
		require.Eventually(t, func() bool {
			code, _, errs := run(t, "healthcheck", "--addr", addr)
			return code == want && strings.Contains(errs, text)
		}, 2*soon, tick)
	}
	cure := "GRANT INSERT, SELECT, UPDATE ON public.saga TO " + name
	healthy(cli.ExitFailed, "check: rights: the role lacks rights; run as the owner of the tables or a superuser: "+cure)
	testenv.AsRole(t, b.db, name, cure)
	healthy(cli.ExitOK, "")
	testenv.AsRole(t, b.db, name, `REVOKE INSERT ON inbox_quarantine FROM {role}`)
	healthy(cli.ExitFailed, "replies: rights: the role lacks rights; run as the owner of the tables or a superuser: GRANT INSERT ON public.inbox_quarantine TO "+name)
	testenv.AsRole(t, b.db, name, `GRANT INSERT ON inbox_quarantine TO {role}`, `ALTER TABLE saga ENABLE ROW LEVEL SECURITY`)
	healthy(cli.ExitFailed, "timers: rights: ")
	healthy(cli.ExitFailed, "ALTER ROLE "+name+" BYPASSRLS")
	testenv.AsRole(t, b.db, name, `ALTER ROLE {role} BYPASSRLS`)
	healthy(cli.ExitOK, "")
	stop()
	require.Equal(t, cli.ExitOK, <-ended)
}

// What is to be watched is judged before anything begins.
func TestRunJudgesWhatItIsToWatch(t *testing.T) {
	setup(t)
	t.Setenv("AMQP_URL", "amqp://guest:guest@127.0.0.1:1/")
	dir := t.TempDir()
	for want, text := range map[string]string{
		"watched.yaml: saga definition: line 6:5: events[0].form: unknown key": strings.Replace(watchedText, "from:", "form:", 1),
		"WATCH_DEFINITIONS: open ":         "",
		"choreography stay is given twice": watchedText,
	} {
		file := dir + "/watched.yaml"
		require.NoError(t, os.RemoveAll(file))
		if text != "" {
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		}
		t.Setenv("WATCH_DEFINITIONS", file+" \n "+file)
		code, _, errs := run(t, "run")
		require.Equal(t, cli.ExitUsage, code, errs)
		require.Contains(t, errs, want)
	}
}

const watchedText = "name: stay\nversion: 1\nstyle: choreography\nevents:\n  - name: room.booked\n    from: hotel\n"
