package watcher_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	"go.example/saga/pkg/saga/watcher"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// booking expects three facts, and knows one way back.
func booking(version int) saga.Choreography {
	return saga.Choreography{
		Name: "booking", Version: version,
		Events: []saga.ExpectedEvent{
			{Name: "order.placed", From: "orders", Within: time.Hour},
			{Name: "room.booked", From: "hotel", Within: time.Hour},
			{Name: "payment.captured", From: "payment", Within: time.Hour},
		},
		Aborts: []saga.AbortingEvent{{
			Name: "payment.declined", From: "payment",
			Undone: []saga.ExpectedEvent{{Name: "room.released", From: "hotel", Within: time.Hour}},
		}},
	}
}

type bench struct {
	*testing.T
	db       *pgxpool.Pool
	w        *watcher.Watcher
	mu       sync.Mutex
	outcomes []string
}

func setup(t *testing.T, retention time.Duration, given ...saga.Choreography) *bench {
	t.Parallel()
	b := &bench{T: t, db: testenv.Database(t, sagasql.Outbox, sagasql.Saga, sagasql.Inbox)}
	b.watch(retention, given...)
	return b
}

func (b *bench) watch(retention time.Duration, given ...saga.Choreography) {
	b.Helper()
	var err error
	b.w, err = watcher.New(watcher.Config{Choreographies: given, DB: b.db, Retention: retention, Observe: func(o watcher.Outcome) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.outcomes = append(b.outcomes, string(o))
	}})
	require.NoError(b, err)
}

// fact is what the broker delivers, as service.type.
func fact(id uuid.UUID, service, name string) inbox.Delivery {
	return inbox.Delivery{
		MessageID: uuid.NewString(), CorrelationID: id.String(), Type: name, ContentType: "application/json", Body: []byte("{}"),
		Timestamp: time.Now(), Headers: map[string]string{protocol.HeaderService: service, protocol.HeaderSubject: "subject-" + id.String()[:4]},
	}
}

func (b *bench) hearIn(tx func(work func(pgx.Tx) error) error, ds ...inbox.Delivery) (rejected []inbox.Rejection) {
	b.Helper()
	require.NoError(b, tx(func(tx pgx.Tx) (err error) {
		rejected, err = b.w.Handle(context.Background(), tx, ds)
		return err
	}))
	return rejected
}

// hear hears all in one transaction, and returns what became of them.
func (b *bench) hear(ds ...inbox.Delivery) []string {
	b.Helper()
	b.outcomes = nil
	b.hearIn(func(work func(pgx.Tx) error) error { return pgx.BeginFunc(context.Background(), b.db, work) }, ds...)
	return b.outcomes
}

// line is what people see of a course.
func (b *bench) line(id uuid.UUID) (line string) {
	b.Helper()
	require.NoError(b, b.db.QueryRow(b.Context(), `SELECT coalesce(string_agg(concat_ws(' | ', o.type, o.business_key, o.status, o.steps, o.waits_for, o.reason), '
' ORDER BY o.type), '') FROM saga_overview AS o WHERE o.id = $1`, id).Scan(&line))
	return line
}

func (b *bench) count(query string, args ...any) (n int) {
	b.Helper()
	require.NoError(b, b.db.QueryRow(b.Context(), query, args...).Scan(&n))
	return n
}

func (b *bench) exec(query string, args ...any) {
	b.Helper()
	_, err := b.db.Exec(b.Context(), query, args...)
	require.NoError(b, err)
}

// later moves a course into the past.
func (b *bench) later(id uuid.UUID, by string) {
	b.Helper()
	b.exec(`UPDATE saga_watch SET started_at = started_at - $2::interval, updated_at = updated_at - $2::interval, due_at = due_at - $2::interval,
		ended_at = ended_at - $2::interval, events = (SELECT jsonb_agg(e.value
			|| CASE WHEN e.value ? 'due' THEN jsonb_build_object('due', (e.value ->> 'due')::timestamptz - $2::interval) ELSE '{}' END
			|| CASE WHEN e.value ? 'heard' THEN jsonb_build_object('heard', (e.value ->> 'heard')::timestamptz - $2::interval) ELSE '{}' END ORDER BY e.place)
			FROM jsonb_array_elements(events) WITH ORDINALITY AS e (value, place)) WHERE id = $1`, id, by)
}

func TestACourseThatCompletes(t *testing.T) {
	b := setup(t, 0, booking(1))
	id := uuid.New()
	key := "subject-" + id.String()[:4]
	require.Equal(t, []string{"marked"}, b.hear(fact(id, "orders", "order.placed")))
	require.Equal(t, "booking | "+key+" | STARTED | order.placed ✓, room.booked …, payment.captured … | room.booked from hotel; payment.captured from payment", b.line(id))
	require.Equal(t, []string{"marked"}, b.hear(fact(id, "hotel", "room.booked")))
	require.Equal(t, []string{"known"}, b.hear(fact(id, "hotel", "room.booked")))
	require.Equal(t, []string{"marked"}, b.hear(fact(id, "payment", "payment.captured")))
	require.Equal(t, "booking | "+key+" | COMPLETED | order.placed ✓, room.booked ✓, payment.captured ✓", b.line(id))
	require.Zero(t, b.count(`SELECT count(*) FROM saga_stuck`))
}

func TestACourseThatGoesBack(t *testing.T) {
	b := setup(t, 0, booking(1))
	id := uuid.New()
	key := "subject-" + id.String()[:4]
	b.hear(fact(id, "orders", "order.placed"), fact(id, "hotel", "room.booked"), fact(id, "payment", "payment.declined"))
	require.Equal(t, "booking | "+key+" | ABORTING | order.placed ✓, room.booked ✓, payment.captured ·, payment.declined ✗, room.released ↶… | room.released from hotel | payment.declined from payment", b.line(id))
	b.hear(fact(id, "hotel", "room.released"))
	require.Equal(t, "booking | "+key+" | ABORTED | order.placed ✓, room.booked ✓, payment.captured ·, payment.declined ✗, room.released ↶ | payment.declined from payment", b.line(id))
}

// Whoever does not publish in time is named, also where that was to come first or to undo something.
func TestALateCourseNamesWhoIsMissing(t *testing.T) {
	b := setup(t, 0, booking(1))
	id, back, headless := uuid.New(), uuid.New(), uuid.New()
	b.hear(fact(id, "orders", "order.placed"), fact(id, "payment", "payment.captured"))
	b.hear(fact(back, "orders", "order.placed"), fact(back, "payment", "payment.declined"))
	b.hear(fact(headless, "hotel", "room.booked"), fact(headless, "payment", "payment.captured"))
	require.Zero(t, b.count(`SELECT count(*) FROM saga_stuck`))
	for late, who := range map[uuid.UUID]string{id: "hotel is missing: room.booked was due at", back: "hotel is missing: room.released was due at", headless: "orders is missing: order.placed was due at"} {
		b.later(late, "61 minutes")
		require.Contains(t, b.line(late), " | LATE | ")
		require.Contains(t, b.line(late), who)
	}
	require.Equal(t, 3, b.count(`SELECT count(*) FROM saga_stuck WHERE status = 'LATE' AND why LIKE '%is missing%' AND since >= interval '59 seconds'`))
	require.Equal(t, 2, b.count(`SELECT count(*) FROM saga_watched WHERE missing = '{hotel}'`))
	late, err := b.w.Late(t.Context())
	require.NoError(t, err)
	require.Equal(t, []watcher.Late{{Choreography: "booking", Service: "hotel", Courses: 2}, {Choreography: "booking", Service: "orders", Courses: 1}}, late)
	b.hear(fact(id, "hotel", "room.booked"))
	require.Contains(t, b.line(id), " | COMPLETED | order.placed ✓, room.booked ✓, payment.captured ✓ | came late: room.booked from hotel")
	require.Equal(t, 2, b.count(`SELECT count(*) FROM saga_stuck`))
}

// All of them in one transaction, each in its own, backwards, and each three times: the same.
func TestOrderAndCopiesChangeNothing(t *testing.T) {
	b := setup(t, 0, booking(1))
	together, apart, backwards := uuid.New(), uuid.New(), uuid.New()
	facts := func(id uuid.UUID) []inbox.Delivery {
		return []inbox.Delivery{
			fact(id, "orders", "order.placed"), fact(id, "hotel", "room.booked"), fact(id, "payment", "payment.declined"), fact(id, "hotel", "room.released"),
		}
	}
	all := facts(together)
	b.hear(slices.Concat(all, all, all)...)
	for range 3 {
		for _, f := range facts(apart) {
			b.hear(f)
		}
		for _, f := range slices.Backward(facts(backwards)) {
			b.hear(f)
		}
	}
	for _, id := range []uuid.UUID{together, apart, backwards} {
		require.Contains(t, b.line(id), " | ABORTED | order.placed ✓, room.booked ✓, payment.captured ·, payment.declined ✗, room.released ↶ | payment.declined from payment")
	}
	require.Equal(t, 3, b.count(`SELECT count(*) FROM saga_watch`))
}

// What nobody expects leaves nothing behind, and what cannot be read is set aside.
func TestWhatIsNotExpected(t *testing.T) {
	b := setup(t, 0, booking(1))
	id := uuid.New()
	require.Equal(t, []string{"unexpected", "unexpected"}, b.hear(fact(id, "hotel", "room.painted"), fact(id, "motel", "room.booked")))
	nameless, homeless := fact(id, "hotel", "room.booked"), fact(id, "hotel", "room.booked")
	nameless.CorrelationID, homeless.Headers = "42", nil
	rejected := b.hearIn(func(work func(pgx.Tx) error) error { return pgx.BeginFunc(t.Context(), b.db, work) }, nameless, fact(id, "hotel", "room.painted"), homeless)
	require.Equal(t, []inbox.Rejection{
		{Index: 0, Code: inbox.Undecodable, Reason: "correlation_id: is not a UUID in its canonical lower-case form"},
		{Index: 2, Code: inbox.Undecodable, Reason: "cloudEvents_sagaservice: is missing or empty"},
	}, rejected)
	require.Zero(t, b.count(`SELECT count(*) FROM saga_watch`))
}

// A course keeps the plan with which it began, also when its definition is changed or taken away.
func TestACourseKeepsItsPlan(t *testing.T) {
	b := setup(t, 0, booking(1))
	id, other := uuid.New(), uuid.New()
	b.hear(fact(id, "orders", "order.placed"))
	shorter := booking(2)
	shorter.Events = shorter.Events[:2]
	b.watch(0, shorter)
	require.Equal(t, []string{"marked", "marked", "marked"}, b.hear(fact(id, "hotel", "room.booked"), fact(other, "orders", "order.placed"), fact(other, "hotel", "room.booked")))
	require.Contains(t, b.line(id), "payment.captured …")
	require.Contains(t, b.line(other), "COMPLETED")
	b.watch(0)
	require.Equal(t, []string{"marked", "unexpected"}, b.hear(fact(id, "payment", "payment.captured"), fact(other, "payment", "payment.captured")))
	require.Contains(t, b.line(id), "COMPLETED")
	require.Empty(t, b.w.Patterns())
}

// One fact can be part of several choreographies, and may have the id of a saga that is driven.
func TestSeveralChoreographies(t *testing.T) {
	second := saga.Choreography{Name: "cleaning", Version: 1, Events: []saga.ExpectedEvent{{Name: "room.booked", From: "hotel", Within: time.Hour}}}
	b := setup(t, 0, booking(1), second)
	require.Equal(t, []string{
		"orders.order.placed", "hotel.room.booked", "payment.payment.captured", "payment.payment.declined", "hotel.room.released",
	}, b.w.Patterns())
	id := uuid.New()
	b.hear(fact(id, "hotel", "room.booked"))
	require.Contains(t, b.line(id), "cleaning | ")
	require.Contains(t, b.line(id), "booking | ")
	_, err := watcher.New(watcher.Config{Choreographies: []saga.Choreography{booking(1), booking(2)}, DB: b.db})
	require.ErrorContains(t, err, "choreography booking is given twice")
	_, err = watcher.New(watcher.Config{Choreographies: []saga.Choreography{{Name: "x"}}, DB: b.db})
	require.ErrorContains(t, err, "version: 0 is out of bounds")
}

// What ended is deleted after the retention, what is late stays, and a copy that comes
// afterwards begins nothing.
func TestRetention(t *testing.T) {
	b := setup(t, 24*time.Hour, booking(1))
	done, fresh, late := uuid.New(), uuid.New(), uuid.New()
	for _, id := range []uuid.UUID{done, fresh} {
		b.hear(fact(id, "orders", "order.placed"), fact(id, "hotel", "room.booked"), fact(id, "payment", "payment.captured"))
	}
	b.hear(fact(late, "orders", "order.placed"))
	b.later(done, "25 hours")
	b.later(late, "25 hours")
	require.NoError(t, b.w.Expire(t.Context()))
	require.Empty(t, b.line(done))
	require.Contains(t, b.line(fresh), "COMPLETED")
	require.Contains(t, b.line(late), "LATE")

	again, overdue := fact(done, "hotel", "room.booked"), fact(late, "hotel", "room.booked")
	again.Timestamp = time.Now().Add(-25 * time.Hour)
	overdue.Timestamp = again.Timestamp
	require.Equal(t, []string{"old", "marked"}, b.hear(again, overdue))
	require.Empty(t, b.line(done))
}

// A watcher that hears of a course which another one has in hand waits, and goes on from there.
func TestTwoWatchersAtATime(t *testing.T) {
	b := setup(t, 0, booking(1))
	id := uuid.New()
	both := func(first, second inbox.Delivery) {
		t.Helper()
		one, err := b.db.Begin(t.Context())
		require.NoError(t, err)
		b.hearIn(func(work func(pgx.Tx) error) error { return work(one) }, first)
		two := make(chan error, 1)
		go func() {
			two <- pgx.BeginFunc(context.Background(), b.db, func(tx pgx.Tx) error {
				_, err := b.w.Handle(context.Background(), tx, []inbox.Delivery{second})
				return err
			})
		}()
		require.Eventually(t, func() bool {
			return b.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 1
		}, 20*time.Second, 5*time.Millisecond)
		require.NoError(t, one.Commit(t.Context()))
		require.NoError(t, <-two)
	}
	both(fact(id, "orders", "order.placed"), fact(id, "hotel", "room.released")) // who begins it
	b.watch(0)                                                                   // a course of a definition that is gone is not looked for by beginning it
	both(fact(id, "hotel", "room.booked"), fact(id, "payment", "payment.captured"))
	require.Contains(t, b.line(id), "COMPLETED")
	require.Equal(t, 4, b.count(`SELECT count(*) FROM saga_watch, jsonb_array_elements(events) AS e WHERE e ? 'heard'`))
}

// The table refuses what cannot be.
func TestConstraints(t *testing.T) {
	b := setup(t, 0, booking(1))
	id := uuid.New()
	b.hear(fact(id, "orders", "order.placed"))
	for constraint, change := range map[string]string{
		"saga_watch_type_given":               `type = ''`,
		"saga_watch_version_positive":         `definition_version = 0`,
		"saga_watch_business_key_fits":        `business_key = repeat('x', 256)`,
		"saga_watch_status_known":             `status = 'LATE'`,
		"saga_watch_has_ended":                `ended_at = updated_at`,
		"saga_watch_is_due":                   `due_at = NULL`,
		"saga_watch_events_known":             `events = jsonb_set(events, '{1,role}', '"guest"')`,
		"saga_watch_something_heard":          `events = events #- '{0,heard}'`,
		"saga_watch_heard_is_not_missing":     `events = jsonb_set(events, '{0,missing}', 'true')`,
		"saga_watch_missing_has_not_ended":    `events = events #- '{1,missing}' #- '{2,missing}'`,
		"saga_watch_goes_back_after_an_abort": `status = 'ABORTING'`,
		"saga_watch_completed_has_all":        `status = 'COMPLETED', ended_at = updated_at, due_at = NULL, events = events #- '{1,missing}' #- '{2,missing}'`,
		"saga_watch_order_of_times":           `updated_at = started_at - interval '1 second'`,
	} {
		_, err := b.db.Exec(t.Context(), fmt.Sprintf(`UPDATE saga_watch SET %s WHERE id = $1`, change), id)
		require.ErrorContains(t, err, constraint, change)
	}
}

// It works under its rights and no more; what row security hides is an error.
func TestRights(t *testing.T) {
	b := setup(t, 24*time.Hour, booking(1))
	rights := watcher.Rights
	role := testenv.Role(t, b.db, testenv.Grants(rights...)...)
	require.NoError(t, sagasql.CheckRights(t.Context(), role, "", rights...))
	owner := b.db
	b.db = role
	b.watch(24*time.Hour, booking(1))
	id := uuid.New()
	require.Equal(t, []string{"marked", "marked"}, b.hear(fact(id, "orders", "order.placed"), fact(id, "hotel", "room.booked")))
	require.Equal(t, []string{"marked"}, b.hear(fact(id, "payment", "payment.captured")))
	require.NoError(t, b.w.Expire(t.Context()))
	_, err := owner.Exec(t.Context(), `ALTER TABLE saga_watch ENABLE ROW LEVEL SECURITY`)
	require.NoError(t, err)
	require.ErrorContains(t, b.w.Expire(t.Context()), "row security hides sagas")
	require.ErrorContains(t, sagasql.CheckRights(t.Context(), role, "", rights...), "BYPASSRLS")
	_, err = sagapg.New("", testenv.Service).Census(t.Context(), owner)
	require.NoError(t, err, "the owner sees all")
}
