package participant_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

const soon, often = 20 * time.Second, 5 * time.Millisecond

func TestAnswersAreStable(t *testing.T) {
	b := setUp(t)
	id := newSaga()
	first, second := command(id, "work", saga.Request, 1, ""), command(id, "work", saga.Request, 2, "")
	for _, d := range []inbox.Delivery{first, first, second} {
		_, err := b.handle(d)
		require.NoError(t, err)
	}
	got := b.answers(id)
	require.Len(t, got, 3)
	require.Equal(t, jsonmap.JSONMap{"number": json.Number("9007199254740993")}, got[0].Reply.Output)
	require.Equal(t, got[0], got[1], "the same command has the same answer under the same id")
	require.NotEqual(t, got[0].ID, got[2].ID, "another attempt is another message")
	require.Equal(t, got[0].Reply.Output, got[2].Reply.Output)
	require.Equal(t, 2, got[2].Reply.Attempt)
}

func TestRefusalReachesTheReply(t *testing.T) {
	bothForms(t, func(t *testing.T, b *bench) {
		id := newSaga()
		for attempt := range 2 {
			_, err := b.handle(command(id, "work", saga.Request, attempt+1, "refuse"))
			require.NoError(t, err)
		}
		want := saga.Problem{Type: "urn:test:no", Title: "No", Detail: "not \uFFFD today"}
		for _, a := range b.answers(id) {
			require.Equal(t, want, a.Reply.Problem)
		}
	})
}

func TestTechnicalErrorsTellNothingButTheirKind(t *testing.T) {
	bothForms(t, func(t *testing.T, b *bench) {
		for behaviour, kind := range map[string]string{
			"fail": "error", "sqlfail": "SQLSTATE 22012", "panic": "panic", "hide": "error", "commit": "error", "rollback": "error",
		} {
			id := newSaga()
			_, err := b.handle(command(id, "work", saga.Request, 1, behaviour))
			require.NoError(t, err)
			got := b.answers(id)
			require.Len(t, got, 1)
			require.Equal(t, "urn:problem:saga:technical", got[0].Reply.Problem.Type)
			require.Equal(t, kind, got[0].Reply.Problem.Detail)
			require.Empty(t, b.state(id)+b.effects(id), "%s: nothing is kept", behaviour)
			_, err = b.handle(command(id, "work", saga.Request, 2, ""))
			require.NoError(t, err)
			require.Equal(t, "succeeded", b.state(id), behaviour)
		}
	})
}

func TestALateRequestLearnsWhy(t *testing.T) {
	bothForms(t, func(t *testing.T, b *bench) {
		id := newSaga()
		_, err := b.handle(command(id, "work", saga.Cancel, 1, ""), command(id, "work", saga.Request, 1, ""))
		require.NoError(t, err)
		require.Equal(t, "urn:problem:saga:cancelled", b.answers(id)[1].Reply.Problem.Type)
	})
}

func TestWhatCannotBeACommandIsRejected(t *testing.T) {
	bothForms(t, func(t *testing.T, b *bench) {
		good, broken := newSaga(), command(newSaga(), "work", saga.Request, 1, "")
		broken.Body = []byte("null")
		noID := command(newSaga(), "work", saga.Request, 1, "")
		noID.MessageID = ""
		rejections, err := b.handle(broken,
			command(good, "work", saga.Request, 1, ""),
			noID)
		require.NoError(t, err)
		require.Len(t, b.answers(good), 1)
		require.Len(t, rejections, 2)
		for i, want := range []struct {
			index  int
			reason string
		}{{0, "body"}, {2, "message_id"}} {
			require.Equal(t, want.index, rejections[i].Index)
			require.Contains(t, rejections[i].Reason, want.reason)
		}
		require.Equal(t, "1", b.text(`SELECT count(*)::text FROM outbox`))
	})
}

// What nothing here carries out is answered at once, and never as done where something was.
func TestACommandWithoutAHandlerIsRefused(t *testing.T) {
	bothForms(t, func(t *testing.T, b *bench) {
		for name, c := range map[string]struct {
			step     string
			ops      []saga.Operation
			outcomes []saga.Outcome
			state    string
		}{
			"an unknown step is refused for good": {
				"unheard-of",
				[]saga.Operation{saga.Request, saga.Request, saga.Cancel, saga.Confirm},
				[]saga.Outcome{"failed", "failed", "compensated", "failed"},
				"failed",
			},
			"nothing is there to undo": {
				"unheard-of",
				[]saga.Operation{saga.Cancel, saga.Request},
				[]saga.Outcome{"compensated", "failed"},
				"cancelled",
			},
			"what succeeded is not undone": {
				"pivot",
				[]saga.Operation{saga.Request, saga.Cancel, saga.Cancel, saga.Request},
				[]saga.Outcome{"succeeded", "failed", "failed", "succeeded"},
				"succeeded",
			},
			"what succeeded does not last": {"pivot", []saga.Operation{saga.Request, saga.Confirm}, []saga.Outcome{"succeeded", "failed"}, "succeeded"},
			"nothing was requested":        {"pivot", []saga.Operation{saga.Confirm}, []saga.Outcome{"retry"}, ""},
		} {
			id, other := newSaga(), newSaga()
			var ds []inbox.Delivery
			for i, op := range c.ops {
				ds = append(ds, command(id, c.step, op, i+1, ""))
			}
			b.deliver(append(ds, command(other, "work", saga.Request, 1, "")))
			var outcomes []saga.Outcome
			for _, a := range b.answers(id) {
				outcomes = append(outcomes, a.Reply.Outcome)
			}
			require.Equal(t, c.outcomes, outcomes, name)
			require.Equal(t, c.state, b.state(id), name)
			require.Equal(t, "succeeded", b.state(other), name)
		}
		id := newSaga()
		b.deliver([]inbox.Delivery{command(id, "unheard-of", saga.Request, 1, "")})
		require.Equal(t, saga.Problem{
			Type: "urn:problem:saga:no-handler", Title: "Nothing here carries out this operation of this step",
			Detail: `the step "unheard-of" is not carried out here`,
		}, b.answers(id)[0].Reply.Problem)
	})
}

func TestOutputsThatCannotBeSent(t *testing.T) {
	b := setUp(t)
	for name, output := range map[string]jsonmap.JSONMap{
		"NUL":       {"a": "\x00"},
		"not JSON":  {"a": make(chan int)},
		"too large": {"a": make([]int, 1<<20)},
	} {
		cfg := b.Config
		cfg.Steps = map[string]participant.Step{"work": {Request: func(context.Context, pgx.Tx, participant.Command) (jsonmap.JSONMap, error) {
			return output, nil
		}}}
		var err error
		b.p, err = participant.New(cfg)
		require.NoError(t, err)
		id := newSaga()
		_, err = b.handle(command(id, "work", saga.Request, 1, ""))
		require.NoError(t, err, name)
		require.Equal(t, saga.OutcomeRetry, b.answers(id)[0].Reply.Outcome, name)
		require.Empty(t, b.state(id), name)
	}
}

// Deadlocks and lost connections are not the saga's business.
func TestErrorsOfTheBatch(t *testing.T) {
	b := setUp(t)
	cfg := b.Config
	cfg.Steps = map[string]participant.Step{"work": {Request: func(context.Context, pgx.Tx, participant.Command) (jsonmap.JSONMap, error) {
		return nil, &pgconn.PgError{Code: "40P01"}
	}}}
	deadlocking, err := participant.New(cfg)
	require.NoError(t, err)
	well, id := b.p, newSaga()
	b.p = deadlocking
	_, err = b.handle(command(id, "work", saga.Request, 1, ""))
	require.ErrorContains(t, err, "40P01")
	b.p = well
	_, err = b.handle(command(newSaga(), "work", saga.Request, 1, ""), command(id, "work", saga.Request, 1, "lose"))
	require.Error(t, err)
	require.Equal(t, "0", b.text(`SELECT count(*)::text FROM saga_barrier`))
	require.Equal(t, "0", b.text(`SELECT count(*)::text FROM outbox`))
}

func TestAnotherSchema(t *testing.T) {
	b := setUp(t)
	require.NoError(t, sagasql.Up(t.Context(), b.DB.Config().ConnString(), "svc", sagasql.Outbox, sagasql.Inbox, sagasql.Participant))
	cfg := b.Config
	cfg.Schema = "svc"
	var err error
	b.p, err = participant.New(cfg)
	require.NoError(t, err)
	_, err = b.handle(command(newSaga(), "work", saga.Request, 1, ""), command(newSaga(), "work", saga.Request, 1, "refuse"))
	require.NoError(t, err)
	require.Equal(t, "2 2 0 0", b.text(`SELECT concat_ws(' ', (SELECT count(*) FROM svc.outbox), (SELECT count(*) FROM svc.saga_barrier),
		(SELECT count(*) FROM public.outbox), (SELECT count(*) FROM public.saga_barrier))`))
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := participant.New(participant.Config{})
	require.ErrorContains(t, err, "Steps is empty")
	_, err = participant.New(participant.Config{Steps: map[string]participant.Step{"a": {}}})
	require.ErrorContains(t, err, `Steps["a"] needs a Request or a RequestAll`)
	_, err = participant.New(participant.Config{Steps: map[string]participant.Step{"": {Request: request}}})
	require.ErrorContains(t, err, "no name")
	_, err = participant.New(participant.Config{Steps: map[string]participant.Step{
		"a": {Request: request, RequestAll: together, Confirm: follow, ConfirmAll: together, Cancel: follow, CancelAll: together},
	}})
	for _, operation := range []string{"Request", "Confirm", "Cancel"} {
		require.ErrorContains(t, err, `Steps["a"] has both `+operation+" and "+operation+"All")
	}
}

// forgetful is a session whose first ack is lost.
type forgetful struct {
	inbox.Source
	lost *atomic.Bool
}

type forgetfulBatch struct {
	inbox.Batch
	lost *atomic.Bool
}

func (f forgetful) Receive(ctx context.Context, max int) (inbox.Batch, error) {
	batch, err := f.Source.Receive(ctx, max)
	if err != nil {
		return nil, err
	}
	return forgetfulBatch{batch, f.lost}, nil
}

func (f forgetfulBatch) Ack() error {
	if f.lost.CompareAndSwap(false, true) {
		return errors.New("the process died before the ack")
	}
	return f.Batch.Ack()
}

// On a real broker: a command that was committed and not acknowledged comes
// again, and has one effect and one reply.
func TestCrashBetweenCommitAndAck(t *testing.T) {
	b := setUp(t)
	url := testenv.Vhost(t)
	broker := rabbit.Config{Name: "test", URL: func(context.Context) (string, error) { return url, nil }}
	var lost atomic.Bool
	open := func(ctx context.Context, owner sagasql.Service) (inbox.Source, error) {
		source, err := rabbit.OpenConsumer(ctx, broker, rabbit.CommandTopology(owner), protocol.CommandQueue(owner.Name), 200)
		if err != nil {
			return nil, err
		}
		return forgetful{source, &lost}, nil
	}
	ready, err := open(t.Context(), testenv.Owner) // declares the queue
	require.NoError(t, err)
	require.NoError(t, ready.Close())
	id := newSaga()
	publish(t, broker, id)

	cfg := b.Config
	cfg.Open = open
	p, err := participant.New(cfg)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	require.Eventually(t, func() bool { return len(b.answers(id)) == 2 }, soon, often)
	stop()
	require.NoError(t, <-ended)
	require.True(t, lost.Load())
	got := b.answers(id)
	require.Equal(t, got[0], got[1])
	require.Equal(t, "REQUEST", b.effects(id))
}

func publish(t *testing.T, broker rabbit.Config, id saga.ID) {
	t.Helper()
	m, err := protocol.CommandMessage("trips", saga.State{ID: id, Type: "test"},
		saga.SendCommand{Step: "work", Operation: saga.Request, Attempt: 1, Destination: testenv.Service})
	require.NoError(t, err)
	require.NotEqual(t, uuid.Nil, m.ID)
	p, err := rabbit.OpenPublisher(t.Context(), broker, 1)
	require.NoError(t, err)
	wait, err := p.Publish(t.Context(), &outbox.Record{Message: m, CreatedAt: time.Now()})
	require.NoError(t, err)
	require.NoError(t, wait(t.Context()))
	require.NoError(t, p.Close())
}
