package fault

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"go.example/saga/internal/dev/stack/stacktest"
)

// A fault is a table whose writes fail, and the daemon that writes it.
type fault struct {
	table, when, daemon string
	db                  func(*stacktest.Stack) *pgxpool.Pool
	// step is of the table's own handler, whose errors are answers to be asked again. Where
	// it is empty, the daemon's circuit opens. Deliveries that are given back may end the
	// session; the listener of the sagas' ends then fails to catch up before the next one.
	step string
}

func ofReservation(s *stacktest.Stack) *pgxpool.Pool { return s.Reservation }
func ofHotel(s *stacktest.Stack) *pgxpool.Pool       { return s.Hotel }
func ofPayment(s *stacktest.Stack) *pgxpool.Pool     { return s.Payment }

// faults are all tables that somebody writes because of a message. A reservation can be
// placed during each: guests are told of faults otherwise, by a 503.
var faults = []fault{
	{"saga", "BEFORE UPDATE ON saga FOR EACH ROW", "orchestrator", ofReservation, ""},
	{"saga_history", "BEFORE INSERT ON saga_history FOR EACH ROW WHEN (NEW.kind <> 'start')", "orchestrator", ofReservation, ""},
	{"reservation", "BEFORE UPDATE ON reservation FOR EACH ROW", "reservation", ofReservation, ""},
	{"saga_barrier", "BEFORE INSERT OR UPDATE ON saga_barrier FOR EACH ROW", "hotel", ofHotel, ""},
	{"booking", "BEFORE INSERT OR UPDATE ON booking FOR EACH ROW", "hotel", ofHotel, "room-booking"},
	{"outbox", "BEFORE INSERT ON outbox FOR EACH ROW", "payment", ofPayment, ""},
	{"ledger", "BEFORE INSERT ON ledger FOR EACH ROW", "payment", ofPayment, "payment"},
}

// The faults of a database are not blamed on messages, whatever SQLSTATE they bear: as soon
// as they are mended all goes on, nothing is in a quarantine, and every saga ends as it has
// to. `make fault-matrix` plays each for 30 seconds, with all codes.

func TestFaultsThatNoListHas(t *testing.T) {
	t.Parallel()
	playFaults(t, "HV00N", "P0001", "XX000", "0A000")
}

func TestFaultsOfTheDatabasesState(t *testing.T) {
	t.Parallel()
	playFaults(t, "55000", "26000", "42804")
}

func TestFaultsThatLookLikeAMessages(t *testing.T) {
	t.Parallel()
	playFaults(t, "23514", "2200H", "22P02")
}

// playFaults plays each fault with each code, or with the first one where no FAULT_LENGTH
// says how long a fault lasts. Without one it lasts until it is noticed.
func playFaults(t *testing.T, codes ...string) {
	t.Helper()
	length, err := time.ParseDuration(cmp.Or(os.Getenv("FAULT_LENGTH"), "0"))
	require.NoError(t, err)
	rate := 20
	if length == 0 {
		codes, rate = codes[:1], 10
	}
	for _, code := range codes {
		t.Run(code, func(t *testing.T) {
			s := stacktest.Start(t)
			g := keepComing(t, s, rate)
			for _, f := range faults {
				if only := os.Getenv("FAULT_TABLE"); only == "" || only == f.table {
					f.play(t, s, code, length)
				}
			}
			ids := g.leave(t)
			tellAborts(t, s)
			recovered(t, s, ids, time.Now())
			select {
			case name := <-s.Ended():
				require.Fail(t, "a daemon ended", name)
			default:
			}
		})
	}
}

// tellAborts logs why sagas turned back, for when one should not have.
func tellAborts(t *testing.T, s *stacktest.Stack) {
	t.Helper()
	require.Eventually(t, func() bool { return pending(t, s) == 0 }, patience, 50*time.Millisecond, "every reservation ends")
	for _, why := range lines(t, s.Reservation, `SELECT count(*) || ' sagas turned back: ' || kind || ' of ' || step || ', ' || left(detail, 120)
			|| ', e.g. ' || min(saga_id::text)
		FROM saga_history WHERE from_status NOT IN ('ABORTING', 'ABORTED') AND to_status IN ('ABORTING', 'ABORTED') GROUP BY kind, step, detail ORDER BY 1 LIMIT 20`) {
		t.Log(why)
	}
}

// play breaks the table until its daemon has said so for long enough, and mends it.
func (f fault) play(t *testing.T, s *stacktest.Stack, code string, length time.Duration) {
	t.Helper()
	f.playWith(t, s, code, length, func() {})
}

// playWith does something meanwhile.
func (f fault) playWith(t *testing.T, s *stacktest.Stack, code string, length time.Duration, meanwhile func()) {
	t.Helper()
	db := f.db(s)
	_, err := db.Exec(t.Context(), fmt.Sprintf(`
		CREATE OR REPLACE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'a fault of the database' USING ERRCODE = '%s'; END $$;
		CREATE TRIGGER a_fault %s EXECUTE FUNCTION fault()`, code, f.when))
	require.NoError(t, err)
	start := time.Now()
	noticed := func(what string) {
		t.Helper()
		told := f.told(t, s)
		require.Eventually(t, func() bool { return told(code) }, patience, 20*time.Millisecond, "%s %s what is wrong with %s", f.daemon, what, f.table)
	}
	noticed("says")
	meanwhile()
	require.Eventually(t, func() bool { return time.Since(start) >= length }, length+patience, 20*time.Millisecond)
	noticed("still says")
	_, err = db.Exec(context.WithoutCancel(t.Context()), `DROP TRIGGER a_fault ON `+f.table)
	require.NoError(t, err)
	mended := time.Now()
	awaitHealth(t, s, f.daemon)
	t.Logf("%s of %s for %v: well after %v", code, f.table, mended.Sub(start).Round(time.Millisecond), time.Since(mended).Round(time.Millisecond))
}

// told is whether the fault has been told of since, with its code.
func (f fault) told(t *testing.T, s *stacktest.Stack) func(code string) bool {
	t.Helper()
	if f.step == "" {
		return func(code string) bool {
			err := s.Health(t.Context(), f.daemon)
			return err != nil && strings.Contains(err.Error(), code) &&
				(strings.Contains(err.Error(), "circuit") || strings.Contains(err.Error(), "catch up"))
		}
	}
	again := func() int {
		return stacktest.Count(t, s.Reservation, `SELECT count(*) FROM saga_history WHERE outcome = 'retry' AND step = $1`, f.step)
	}
	before := again()
	return func(string) bool { return again() > before }
}

// steadyGuests come one after another until they are told to leave.
type steadyGuests struct {
	group *errgroup.Group
	stop  context.CancelFunc
	come  atomic.Int64
	ids   chan placed
}

type placed struct {
	n  int
	id string
}

// keepComing lets so many guests a second place a reservation.
func keepComing(t *testing.T, s *stacktest.Stack, rate int) *steadyGuests {
	t.Helper()
	arriving, stop := context.WithCancel(t.Context())
	g := &steadyGuests{stop: stop, ids: make(chan placed, 1<<16)}
	var ctx context.Context
	g.group, ctx = errgroup.WithContext(t.Context())
	g.group.Go(func() error {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for {
			select {
			case <-arriving.Done():
				return nil
			case <-tick.C:
			}
			n := int(g.come.Add(1)) - 1
			g.group.Go(func() error {
				w, _ := wish(n)
				id, err := s.Place(ctx, w, key(n))
				g.ids <- placed{n, id}
				return err
			})
		}
	})
	t.Cleanup(stop)
	return g
}

// leave ends the coming, and returns the reservations' ids in the order of their wishes.
func (g *steadyGuests) leave(t *testing.T) []string {
	t.Helper()
	g.stop()
	require.NoError(t, g.group.Wait())
	close(g.ids)
	ids := make([]string, g.come.Load())
	for p := range g.ids {
		ids[p.n] = p.id
	}
	return ids
}
