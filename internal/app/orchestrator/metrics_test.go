package orchestrator

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"go.example/saga/internal/app"
	"go.example/saga/internal/app/tasks"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	"go.example/saga/pkg/saga/watcher"
)

// scrape is what the endpoint says after the transitions and a look.
func scrape(t *testing.T, census func(context.Context) ([]sagapg.Census, error), transitions ...saga.Transition) string {
	t.Helper()
	registry, log := app.NewRegistry(namespace, ""), zaptest.NewLogger(t)
	all := tasks.New(namespace, taskMetrics, taskTimers)
	all.Of(taskTimers)(&pgconn.PgError{Code: "42501"})
	registry.MustRegister(all)
	m := newMeter(registry, census, all.Of(taskMetrics), log)
	countDeleted(registry, func() int64 { return 0 })
	countRecounted(registry, func() int64 { return 0 })
	watchPlans(registry, nil, log).note([]sagapg.UnknownPlan{{Name: "trip", Version: 2, Sagas: 1, Err: sagapg.ErrNotUnderstood}})
	facts, late := watchFacts(registry, log)
	facts.WithLabelValues("marked").Inc()
	late.note([]watcher.Late{{Choreography: "stay", Service: "hotel", Courses: 4}}, nil)
	late.note(nil, errors.New("down"))
	for _, tr := range transitions {
		m.observe(tr)
	}
	m.look(t.Context())
	answer := httptest.NewRecorder()
	app.MetricsEndpoint(registry, log).Handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return answer.Body.String()
}

func census(context.Context) ([]sagapg.Census, error) {
	return []sagapg.Census{
		{Type: "trip", Status: saga.StatusStarted, Count: 3, Overdue: 7 * time.Second, Held: map[sagapg.Wait]int{sagapg.WaitConsumer: 2}},
		{Type: "trip", Status: saga.StatusAborting, Count: 1, Held: map[sagapg.Wait]int{sagapg.WaitConsumer: 1}},
		{Type: "trip", Status: saga.StatusStarted, Paused: true, Count: 2, Overdue: -time.Second},
	}, nil
}

// lived are the transitions of a saga that is parked and then killed.
func lived() []saga.Transition {
	began := time.Unix(1000, 0)
	state := func(status saga.Status, park saga.ParkReason, ended time.Time) saga.State {
		return saga.State{
			Type: "trip", Status: status, Steps: []saga.StepState{{Name: "hotel", Park: park}}, StartedAt: began, EndedAt: ended,
		}
	}
	return []saga.Transition{
		{
			Next:    state(saga.StatusParked, saga.ParkExhausted, time.Time{}),
			Effects: []saga.Effect{saga.EmitEvent{Kind: saga.EventParked}},
			Entry:   saga.HistoryEntry{Kind: saga.KindTimer, Disposition: saga.Parked, From: saga.StatusStarted, To: saga.StatusParked},
		},
		{
			Next: state(saga.StatusParked, saga.ParkExhausted, time.Time{}),
			Entry: saga.HistoryEntry{
				Kind: saga.Kind(saga.RetryNow), Disposition: saga.Advanced, From: saga.StatusParked, To: saga.StatusParked,
				Sent: []saga.SendCommand{{Step: "hotel", Operation: saga.Request, Attempt: 2}},
			},
		},
		{
			Next:    state(saga.StatusKilled, "", began.Add(2*time.Second)),
			Effects: []saga.Effect{saga.EmitEvent{Kind: saga.EventKilled}},
			Entry:   saga.HistoryEntry{Kind: saga.Kind(saga.Kill), Disposition: saga.Advanced, From: saga.StatusParked, To: saga.StatusKilled},
		},
		{
			Next:  state(saga.StatusKilled, "", began.Add(2*time.Second)),
			Entry: saga.HistoryEntry{Kind: saga.KindReply, Disposition: saga.Late, From: saga.StatusKilled, To: saga.StatusKilled},
		},
	}
}

func TestMetricsTellWhatHappened(t *testing.T) {
	t.Parallel()
	text := scrape(t, census, lived()...)
	for _, line := range []string{
		`saga_orchestrator_events_total{disposition="parked",kind="timer"} 1`,
		`saga_orchestrator_events_total{disposition="late",kind="reply"} 1`,
		`saga_orchestrator_commands_total{operation="REQUEST",step="hotel",type="trip"} 1`,
		`saga_orchestrator_sagas_parked_total{reason="attempts spent",type="trip"} 1`,
		`saga_orchestrator_sagas_ended_total{status="KILLED",type="trip"} 1`,
		`saga_orchestrator_saga_duration_seconds_sum{status="KILLED",type="trip"} 2`,
		`saga_orchestrator_running_sagas{status="STARTED",type="trip"} 3`,
		`saga_orchestrator_running_sagas{status="PAUSED",type="trip"} 2`,
		`saga_orchestrator_held_sagas{type="trip",waits_for="consumer"} 3`,
		`saga_orchestrator_overdue_seconds 7`,
		`saga_orchestrator_late_courses{missing="hotel",type="stay"} 4`,
		`saga_orchestrator_watched_facts_total{outcome="marked"} 1`,
		`saga_orchestrator_task_failing{matter="rights",sqlstate="42501",task="timers"} 1`,
		`saga_orchestrator_task_errors_total{sqlstate="42501",task="timers"} 1`,
	} {
		require.Contains(t, text, line)
	}
}

// What was known last is told while the database cannot be asked.
func TestMetricsKeepWhatWasKnown(t *testing.T) {
	t.Parallel()
	asked := 0
	text := scrape(t, func(ctx context.Context) ([]sagapg.Census, error) {
		asked++
		return nil, errors.New("down")
	})
	require.Equal(t, 1, asked)
	require.Contains(t, text, "saga_orchestrator_overdue_seconds 0")
	require.Contains(t, text, `saga_orchestrator_task_failing{matter="database",sqlstate="",task="metrics"} 1`)
}

// The page is complete, and tells of nothing that does not exist.
func TestEveryMetricIsExplained(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/metrics.md")
	require.NoError(t, err)
	names := func(pattern, text string) (found []string) {
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			found = append(found, match[1])
		}
		slices.Sort(found)
		return slices.Compact(found)
	}
	require.Equal(t, names(`(?m)^# TYPE (saga_orchestrator_\w+)`, scrape(t, census, lived()...)),
		names("(?m)^\\| `(saga_orchestrator_\\w+)`", string(page)))
}
