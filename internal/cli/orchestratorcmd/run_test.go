package orchestratorcmd_test

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/orchestratorcmd"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga"
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
		Step: "hotel", Operation: saga.Request, Attempt: 1, ReplyTo: protocol.QueueReplies,
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
