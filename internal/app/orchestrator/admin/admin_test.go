package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"go.example/saga/internal/app/orchestrator/admin"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox/quarantine"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	engine "go.example/saga/pkg/saga/orchestrator"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const (
	secret = "a token of some length"
	canary = "4929000011117999"
)

// desk is an operator who calls a served interface.
type desk struct {
	*testing.T
	db     *pgxpool.Pool
	store  *sagapg.Store
	server *httptest.Server
	log    *safeBuffer
}

type safeBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *safeBuffer) Sync() error { return nil }

func newDesk(t *testing.T) *desk {
	t.Parallel()
	d := &desk{T: t, db: testenv.Database(t, sagasql.Outbox, sagasql.Saga, sagasql.Inbox), store: sagapg.New("", testenv.Service), log: &safeBuffer{}}
	_, err := d.store.ApplyDefinition(t.Context(), d.db, plan())
	require.NoError(t, err)
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewDevelopmentEncoderConfig()), d.log, zap.DebugLevel))
	e, err := engine.New(engine.Config{DB: d.db, Store: d.store, Log: log})
	require.NoError(t, err)
	d.server = httptest.NewServer(admin.Handler(e, func() (string, error) { return secret, nil }, log))
	t.Cleanup(d.server.Close)
	return d
}

func plan() saga.Definition {
	policy := saga.Policy{Timeout: time.Hour, RetryFor: time.Hour, Retry: saga.Retry{Initial: time.Hour, Factor: 1, Max: time.Hour, Attempts: 2}}
	step := func(name string, kind saga.StepType) saga.StepDefinition {
		return saga.StepDefinition{Name: name, Kind: saga.Command, Type: kind, Destination: name, Request: policy, Cancel: policy}
	}
	return saga.Definition{
		Name: "trip", Version: 1, Mode: saga.Sequence, Steps: []saga.StepDefinition{
			{Name: "approval", Kind: saga.Signal, Type: saga.Compensatable, Wait: time.Hour, OnTimeout: saga.TimeoutRefuses},
			step("hotel", saga.Compensatable), step("flight", saga.Pivot),
		},
	}
}

// start starts a saga that carries something secret.
func (d *desk) start(key string) string {
	d.Helper()
	var id saga.ID
	require.NoError(d, pgx.BeginFunc(d.Context(), d.db, func(tx pgx.Tx) (err error) {
		id, _, err = d.store.Start(d.Context(), tx, plan(), sagapg.StartRequest{
			BusinessKey: key, Payload: jsonmap.JSONMap{"room": 1, "cardNo": canary},
		})
		return err
	}))
	return uuid.UUID(id).String()
}

// call sends a request with the token and returns the answer's status and body.
func (d *desk) call(method, path, body string) (int, string) {
	d.Helper()
	req, err := http.NewRequestWithContext(d.Context(), method, d.server.URL+path, strings.NewReader(body))
	require.NoError(d, err)
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set("Content-Type", "application/json")
	return d.send(req)
}

func (d *desk) send(req *http.Request) (int, string) {
	d.Helper()
	res, err := d.server.Client().Do(req)
	require.NoError(d, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(d, err)
	if res.StatusCode >= http.StatusBadRequest {
		require.Equal(d, "application/problem+json", res.Header.Get("Content-Type"), string(text))
	}
	return res.StatusCode, string(text)
}

// ok is a call that succeeds; its answer is read into v.
func (d *desk) ok(method, path, body string, v any) {
	d.Helper()
	status, text := d.call(method, path, body)
	require.Equal(d, http.StatusOK, status, text)
	require.NoError(d, json.Unmarshal([]byte(text), v), text)
}

func (d *desk) text(query string, args ...any) (text string) {
	d.Helper()
	require.NoError(d, d.db.QueryRow(d.Context(), query, args...).Scan(&text))
	return text
}

func TestListShowTimeline(t *testing.T) {
	d := newDesk(t)
	first, second := d.start("K-1"), d.start("K-2")
	var page struct {
		Sagas []sagapg.Overview
		Next  string
	}
	d.ok("GET", admin.Sagas+"?limit=1", "", &page)
	require.Equal(t, second, page.Sagas[0].ID)
	d.ok("GET", admin.Sagas+"?limit=1&status=STARTED,PARKED&step=approval&startedAfter=2020-01-01T00:00:00Z&after="+page.Next, "", &page)
	require.Equal(t, first, page.Sagas[0].ID)
	d.ok("GET", admin.Sagas+"?type=trip&key=K-2", "", &page)
	require.Equal(t, second, page.Sagas[0].ID)
	for _, query := range []string{"?stuck=true", "?overdue=true", "?parked=true", "?paused=true", "?failure=refused", "?startedBefore=2020-01-01T00:00:00Z", "?type=tour"} {
		status, text := d.call("GET", admin.Sagas+query, "")
		require.Equal(t, http.StatusOK, status, text)
		require.JSONEq(t, `{"sagas": []}`, text, "%s: none is [], not null", query)
	}

	status, text := d.call("GET", admin.Sagas+"/"+first, "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, `"payload":{"cardNo":"[redacted]","room":1}`)
	_, text = d.call("GET", admin.Sagas+"/"+first+"?reveal=true", "")
	require.Contains(t, text, canary)
	var whole struct {
		Waits    []sagapg.Waiting
		SetAside engine.SetAside
	}
	d.ok("GET", admin.Sagas+"/"+first, "", &whole)
	require.Equal(t, "signal", whole.Waits[0].For)
	require.NotNil(t, whole.Waits[0].Since)
	require.Equal(t, engine.SetAside{Messages: []quarantine.Message{}}, whole.SetAside)
	var timeline struct {
		Timeline []sagapg.Moment
		Earlier  int64
	}
	d.ok("GET", admin.Sagas+"/"+first+"/timeline", "", &timeline)
	require.Len(t, timeline.Timeline, 1)
	require.Contains(t, timeline.Timeline[0].Sentence, "started")
	require.Zero(t, timeline.Earlier)

	d.ok("POST", admin.Sagas+"/"+first+"/actions", `{"verb": "pause", "who": "grace", "reason": "audit"}`, &struct{}{})
	d.ok("GET", admin.Sagas+"/"+first+"/timeline?limit=1", "", &timeline)
	require.Equal(t, []any{1, int64(2), "paused by the operator: audit"}, []any{len(timeline.Timeline), timeline.Earlier, timeline.Timeline[0].Detail})
	timeline.Earlier = 0
	d.ok("GET", admin.Sagas+"/"+first+"/timeline?before=2", "", &timeline)
	require.Equal(t, []any{1, int64(0), "started"}, []any{len(timeline.Timeline), timeline.Earlier, timeline.Timeline[0].Detail})
	status, _ = d.call("GET", admin.Sagas+"/"+uuid.NewString()+"/timeline", "")
	require.Equal(t, http.StatusNotFound, status)
}

func TestActAndSignal(t *testing.T) {
	d := newDesk(t)
	id := d.start("K-1")
	var told struct{ ID, Status, Detail string }
	d.ok("POST", admin.Sagas+"/"+id+"/actions", `{"verb": "pause", "who": "grace", "reason": "moving"}`, &told)
	require.Equal(t, "paused by the operator: moving", told.Detail)
	d.ok("POST", admin.Sagas+"/"+id+"/actions", `{"verb": "resume", "who": "grace"}`, &told)
	d.ok("POST", admin.Sagas+"/"+id+"/signals", `{"step": "approval", "who": "ada", "output": {"limit": 12345678901234567890.10}}`, &told)
	require.Equal(t, "STARTED", told.Status)
	require.Equal(t, "12345678901234567890.10", d.text(`SELECT outputs #>> '{approval,limit}' FROM saga`))
	d.ok("POST", admin.Sagas+"/"+id+"/actions", `{"verb": "skip", "step": "hotel", "who": "grace", "reason": "by hand"}`, &told)
	status, text := d.call("POST", admin.Sagas+"/"+id+"/actions", `{"verb": "abort", "who": "grace", "reason": "late"}`)
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, text, "the saga is STARTED and did not take it: a step that cannot be undone may have taken effect")
	require.Equal(t, "grace pause, grace resume, ada signal, grace skip, grace abort",
		d.text(`SELECT string_agg(who || ' ' || kind, ', ' ORDER BY seq) FROM saga_history WHERE who IS NOT NULL`))
	refused := d.start("K-2")
	d.ok("POST", admin.Sagas+"/"+refused+"/signals", `{"step": "approval", "who": "ada", "refuse": true, "reason": "no credit"}`, &told)
	require.Equal(t, "ABORTED", told.Status)
}

func TestBulk(t *testing.T) {
	d := newDesk(t)
	d.start("K-1")
	d.start("K-2")
	var answer struct {
		Matching int
		Token    string
		First    []sagapg.Overview
		Told     *engine.Tally
	}
	const abort = `{"verb": "abort", "who": "grace", "reason": "closed", "selection": {"type": "trip", "statuses": ["STARTED"]}`
	status, text := d.call("POST", admin.Bulk, abort+`}`)
	require.Equal(t, http.StatusUnprocessableEntity, status, "the field is called status: %s", text)
	const closing = `{"verb": "abort", "who": "grace", "reason": "closed", "selection": {"type": "trip", "status": ["STARTED"]}`
	d.ok("POST", admin.Bulk, closing+`}`, &answer)
	require.Equal(t, 2, answer.Matching)
	require.Len(t, answer.First, 2)
	require.Nil(t, answer.Told)
	require.Equal(t, "STARTED", d.text(`SELECT string_agg(DISTINCT status, ',') FROM saga`))

	d.start("K-3")
	status, text = d.call("POST", admin.Bulk, closing+`, "token": "`+answer.Token+`"}`)
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, text, "2 sagas matched then and 3 match now")
	d.ok("POST", admin.Bulk, closing+`}`, &answer)
	d.ok("POST", admin.Bulk, closing+`, "token": "`+answer.Token+`"}`, &answer)
	require.Equal(t, &engine.Tally{Done: 3, Refused: map[string]int{}}, answer.Told)
	require.Equal(t, "ABORTED", d.text(`SELECT string_agg(DISTINCT status, ',') FROM saga`))

	d.start("K-4")
	const approve = `{"verb": "signal", "step": "approval", "who": "grace", "selection": {"step": "approval"}`
	d.ok("POST", admin.Bulk, approve+`}`, &answer)
	d.ok("POST", admin.Bulk, approve+`, "token": "`+answer.Token+`"}`, &answer)
	require.Equal(t, 1, answer.Told.Done)
}

// What is wrong is said without repeating what was sent, and nothing of it is logged.
func TestProblems(t *testing.T) {
	d := newDesk(t)
	id := d.start("K-1")
	act, signal := admin.Sagas+"/"+id+"/actions", admin.Sagas+"/"+id+"/signals"
	for name, c := range map[string]struct {
		method, path, body string
		status             int
	}{
		"no saga":          {"GET", admin.Sagas + "/" + uuid.NewString(), "", 404},
		"no saga to act":   {"POST", admin.Sagas + "/" + uuid.NewString() + "/actions", `{"verb": "pause", "who": "a"}`, 404},
		"no id":            {"GET", admin.Sagas + "/" + canary, "", 422},
		"no path":          {"GET", "/" + canary, "", 404},
		"other method":     {"DELETE", admin.Sagas, "", 405},
		"status":           {"GET", admin.Sagas + "?status=" + canary, "", 422},
		"limit":            {"GET", admin.Sagas + "?limit=1001", "", 422},
		"key without type": {"GET", admin.Sagas + "?key=" + canary, "", 422},
		"after":            {"GET", admin.Sagas + "?after=" + canary, "", 422},
		"ended and parked": {"GET", admin.Sagas + "?status=ABORTED&parked=true", "", 422},
		"verb":             {"POST", act, `{"verb": "` + canary + `", "who": "a"}`, 422},
		"who":              {"POST", act, `{"verb": "pause"}`, 422},
		"no reason":        {"POST", act, `{"verb": "kill", "who": "a"}`, 409},
		"unknown field":    {"POST", act, `{"verb": "pause", "who": "a", "x": "` + canary + `"}`, 422},
		"output":           {"POST", signal, `{"step": "approval", "who": "a", "output": "` + canary + `"}`, 422},
		"zero byte":        {"POST", signal, `{"step": "approval", "who": "a", "output": {"a": "\u0000` + canary + `"}}`, 400},
		"large output":     {"POST", signal, `{"step": "approval", "who": "a", "output": {"a": "` + strings.Repeat(canary, 5000) + `"}}`, 422},
		"large body":       {"POST", signal, strings.Repeat(" ", 1<<20+1), 413},
		"no step":          {"POST", signal, `{"who": "a"}`, 422},
		"no selection":     {"POST", admin.Bulk, `{"verb": "pause", "who": "a"}`, 422},
		"no token":         {"POST", admin.Bulk, `{"verb": "pause", "who": "a", "selection": {}, "token": "` + canary + `"}`, 409},
	} {
		status, text := d.call(c.method, c.path, c.body)
		require.Equal(t, c.status, status, "%s: %s", name, text)
		require.NotContains(t, text, canary, name)
	}
	d.call("GET", admin.Sagas+"/"+id+"?reveal=true", "")
	d.log.mu.Lock()
	defer d.log.mu.Unlock()
	require.NotContains(t, d.log.String(), canary)
	require.Contains(t, d.log.String(), "an operator acted on a saga")
}

func TestADatabaseThatIsGone(t *testing.T) {
	d := newDesk(t)
	d.db.Close()
	status, text := d.call("GET", admin.Sagas, "")
	require.Equal(t, http.StatusInternalServerError, status, text)
	gone, err := pgxpool.New(context.Background(), "postgres://postgres@127.0.0.1:1/x")
	require.NoError(t, err)
	defer gone.Close()
	e, err := engine.New(engine.Config{DB: gone, Store: d.store})
	require.NoError(t, err)
	answer := httptest.NewRecorder()
	admin.Handler(e, func() (string, error) { return "", nil }, zap.NewNop()).ServeHTTP(answer, request("localhost", ""))
	require.Equal(t, http.StatusServiceUnavailable, answer.Code, answer.Body)
	require.Equal(t, "5", answer.Header().Get("Retry-After"))
}

// What no text of the database can be is the caller's mistake, wherever it stands, and no
// matter for the log.
func TestTextThatNoColumnTakes(t *testing.T) {
	d := newDesk(t)
	id := d.start("K-1")
	for _, query := range []string{
		"type=%00", "type=x&key=%ff", "step=%c3%28", "type=x&key=a%00b", "status=%00", "failure=%ff", "parkReason=%00", "after=%00",
		"startedAfter=%00", "stuck=%00", "type=%ed%a0%80", "%ff=1",
	} {
		status, text := d.call("GET", admin.Sagas+"?"+query, "")
		require.Equal(t, http.StatusUnprocessableEntity, status, "%s: %s", query, text)
	}
	status, _ := d.call("GET", admin.Sagas+"/%00", "")
	require.Equal(t, http.StatusUnprocessableEntity, status)
	for path, body := range map[string]string{
		admin.Bulk:                          `{"verb": "retry", "who": "g", "selection": {"type": "TEXT"}}`,
		admin.Sagas + "/" + id + "/actions": `{"verb": "kill", "who": "g", "reason": "TEXT"}`,
		admin.Sagas + "/" + id + "/signals": `{"step": "approval", "who": "g", "output": {"TEXT": {"a": "TEXT"}}}`,
	} {
		for _, bad := range []string{`a\u0000b`, `\ud800`, `\udc00\ud800`, "\xff", "\xed\xa0\x80"} {
			status, text := d.call("POST", path, strings.ReplaceAll(body, "TEXT", bad))
			require.GreaterOrEqual(t, status, 400, "%s %q: %s", path, bad, text)
			require.Less(t, status, 500, "%s %q: %s", path, bad, text)
		}
	}
	long := strings.Repeat("ä", 255) // 510 bytes: longer than the history takes
	status, text := d.call("POST", admin.Sagas+"/"+id+"/actions", `{"verb": "kill", "who": "`+long+`", "reason": "x"}`)
	require.Equal(t, http.StatusUnprocessableEntity, status, text)
	require.Equal(t, "STARTED", d.text(`SELECT status FROM saga`))
	require.NotContains(t, d.log.String(), `"L":"ERROR"`)
}
