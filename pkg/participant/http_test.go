package participant_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// byHTTP has the bench's commands come by HTTP: it does what a relay does, but for the broker.
func byHTTP(t *testing.T) *bench {
	b := setUp(t)
	var err error
	b.p, err = participant.New(b.Config)
	require.NoError(t, err)
	// Two instances: those of one share transactions.
	instances, n := []http.Handler{b.p.Handler(), b.p.Handler()}, atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		instances[n.Add(1)%2].ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	b.call = func(ds ...inbox.Delivery) (rejections []inbox.Rejection, err error) {
		for i, d := range ds {
			reply, refused := b.post(server.URL, d)
			if refused != "" {
				rejections = append(rejections, inbox.Rejection{Index: i, Code: inbox.Undecodable, Reason: refused})
				continue
			}
			if err := outbox.Append(t.Context(), b.DB, reply); err != nil {
				return rejections, err
			}
		}
		return rejections, nil
	}
	return b
}

// post is one call; refused is what a response says that is no reply.
func (b *bench) post(url string, d inbox.Delivery) (reply outbox.Message, refused string) {
	b.t.Helper()
	id, _ := uuid.Parse(d.MessageID)
	req, err := protocol.HTTPRequest(b.t.Context(), &outbox.Record{Message: outbox.Message{
		ID: id, Type: d.Type, ReplyTo: d.ReplyTo, ContentType: d.ContentType, RoutingKey: url, Headers: d.Headers, Payload: d.Body,
	}}, "trips")
	require.NoError(b.t, err)
	if d.MessageID == "" {
		req.Header.Del("ce-id")
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(b.t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	if resp.StatusCode == http.StatusBadRequest {
		var p struct{ Detail string }
		require.NoError(b.t, json.Unmarshal(body, &p))
		return reply, p.Detail
	}
	cmd, err := protocol.DecodeCommand(d)
	require.NoError(b.t, err)
	reply, err = protocol.ReadHTTPReply(cmd, resp, body)
	require.NoError(b.t, err, "%s", body)
	return reply, ""
}

// What is no POST of a command is refused, and says what is wanted.
func TestWhatIsNoCommandByHTTP(t *testing.T) {
	b := byHTTP(t)
	handler := b.p.Handler()
	serve := func(change func(*http.Request)) *httptest.ResponseRecorder {
		d := command(newSaga(), "work", saga.Request, 1, "")
		id := uuid.MustParse(d.MessageID)
		req, err := protocol.HTTPRequest(t.Context(), &outbox.Record{Message: outbox.Message{
			ID: id, Type: d.Type, ContentType: d.ContentType, RoutingKey: "http://127.0.0.1/", Headers: d.Headers, Payload: d.Body,
		}}, "trips")
		require.NoError(t, err)
		change(req)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		return w
	}
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
		says   string
	}{
		"a GET":              {func(r *http.Request) { r.Method = http.MethodGet }, 405, "POST"},
		"no saga":            {func(r *http.Request) { r.Header.Del("Ce-Sagaid") }, 400, "sagaid"},
		"another key":        {func(r *http.Request) { r.Header.Set("Idempotency-Key", `"x"`) }, 400, "Idempotency-Key"},
		"no JSON":            {func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("{")) }, 400, "body"},
		"a text":             {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 400, "content_type"},
		"a body of 2 MB":     {func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(strings.Repeat(" ", 2<<20))) }, 400, "1048576"},
		"another encoding":   {func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, 400, "content_encoding"},
		"a command, in fact": {func(*http.Request) {}, 200, `"number"`},
	} {
		w := serve(c.change)
		require.Equal(t, c.status, w.Code, name)
		require.Contains(t, w.Body.String(), c.says, name)
	}
}

// A database that fails is no answer of the participant's, and costs nothing.
func TestACommandByHTTPWithoutADatabase(t *testing.T) {
	b := byHTTP(t)
	d := command(newSaga(), "work", saga.Request, 1, "")
	_, err := b.DB.Exec(t.Context(), `ALTER TABLE saga_barrier RENAME TO away`)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	cmd, err := protocol.DecodeCommand(d)
	require.NoError(t, err)
	req, err := protocol.HTTPRequest(t.Context(), &outbox.Record{Message: outbox.Message{
		ID: cmd.MessageID, Type: d.Type, ContentType: d.ContentType, RoutingKey: "http://127.0.0.1/", Headers: d.Headers, Payload: d.Body,
	}}, "trips")
	require.NoError(t, err)
	b.p.Handler().ServeHTTP(w, req)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	_, err = protocol.ReadHTTPReply(cmd, w.Result(), w.Body.Bytes())
	require.ErrorIs(t, err, protocol.ErrBusy)
	require.NotContains(t, w.Body.String(), "saga_barrier")

	_, err = b.DB.Exec(t.Context(), `ALTER TABLE away RENAME TO saga_barrier`)
	require.NoError(t, err)
	_, err = b.handle(d)
	require.NoError(t, err)
	require.Equal(t, jsonmap.JSONMap{"number": json.Number("9007199254740993")}, b.answers(cmd.SagaID)[0].Reply.Output)
}

// gathered is a participant whose handler does what the test says, served by HTTP.
func gathered(t *testing.T, request func(context.Context, pgx.Tx, participant.Command) (jsonmap.JSONMap, error)) (b *bench, send func(behaviour string) saga.Outcome) {
	t.Helper()
	b = setUp(t)
	b.Budget = participant.DefaultBudget
	b.Steps = map[string]participant.Step{"work": {Request: request, Cancel: func(context.Context, pgx.Tx, participant.Command) error { return nil }}}
	var err error
	b.p, err = participant.New(b.Config)
	require.NoError(t, err)
	server := httptest.NewServer(b.p.Handler())
	t.Cleanup(server.Close)
	return b, func(behaviour string) saga.Outcome {
		reply, refused := b.post(server.URL, command(newSaga(), "work", saga.Request, 1, behaviour))
		assert.Empty(t, refused)
		return saga.Outcome(reply.Headers[protocol.HeaderSagaOutcome])
	}
}

// Commands that come at the same time share transactions; what fails takes no other with it.
func TestCommandsByHTTPShareTransactions(t *testing.T) {
	b, send := gathered(t, func(ctx context.Context, tx pgx.Tx, c participant.Command) (jsonmap.JSONMap, error) {
		if c.Payload["behaviour"] == "fail" {
			_, err := tx.Exec(ctx, `SELECT 1/0`)
			return nil, err
		}
		_, err := tx.Exec(ctx, `INSERT INTO effect (saga, op) VALUES ($1, pg_current_xact_id()::text)`, uuid.UUID(c.SagaID))
		return nil, err
	})
	const commands = 300
	var all sync.WaitGroup
	for n := range commands {
		all.Go(func() {
			behaviour, want := "", saga.OutcomeSucceeded
			if n%10 == 0 {
				behaviour, want = "fail", saga.OutcomeRetry
			}
			assert.Equal(t, want, send(behaviour))
		})
	}
	all.Wait()
	require.Equal(t, strconv.Itoa(commands*9/10), b.text(`SELECT count(*)::text FROM effect`))
	transactions, err := strconv.Atoi(b.text(`SELECT count(DISTINCT op)::text FROM effect`))
	require.NoError(t, err)
	require.Less(t, transactions, commands/2)
	t.Logf("%d commands in %d transactions", commands, transactions)
}

// A command that is slow holds up only itself.
func TestASlowCommandByHTTPHoldsUpOnlyItself(t *testing.T) {
	let := make(chan struct{})
	_, send := gathered(t, func(ctx context.Context, _ pgx.Tx, c participant.Command) (jsonmap.JSONMap, error) {
		if c.Payload["behaviour"] != "slow" {
			return nil, nil
		}
		select {
		case <-let:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	var slow, quick sync.WaitGroup
	for range 2 {
		slow.Go(func() { assert.Equal(t, saga.OutcomeSucceeded, send("slow")) })
	}
	for range 100 {
		quick.Go(func() { assert.Equal(t, saga.OutcomeSucceeded, send("")) })
	}
	quick.Wait()
	close(let)
	slow.Wait()
}
