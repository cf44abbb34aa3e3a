package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/dev/stack/stacktest"
	"go.example/saga/pkg/outbox/outboxpg"
)

// dance is the five daemons with the services working without an orchestrator.
type dance struct {
	*testing.T
	*stacktest.Stack
}

// startDance has the watcher expect each fact within this time.
func startDance(t *testing.T, deadline string) *dance {
	t.Helper()
	t.Parallel()
	return &dance{t, stacktest.StartSet(t, func(s *stack.Settings) {
		text, err := os.ReadFile(filepath.Join(s.Root, "deploy", "room-reservation-choreography.yaml"))
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), "watched.yaml")
		changed := strings.Replace(string(text), "deadline: 10s", "deadline: "+deadline, 1)
		require.Contains(t, changed, deadline)
		require.NoError(t, os.WriteFile(file, []byte(changed), 0o600))
		s.Choreographed(file)
	})}
}

// guest is a reservation and what has to become of it.
type guest struct {
	wish            stacktest.Wish
	status, watched string // of the reservation, and of what the watcher shows
	booking         string // its state, empty for none
	moved           []int64
	id              string
}

// guests take all ways, and differ by their nights.
func guests(from, to int) (all []*guest) {
	for n := from; n < to; n++ {
		switch name := fmt.Sprint("g", n); n % 4 {
		case 0, 1:
			all = append(all, &guest{wish: stacktest.Night(1, n, name, "************1111"), status: "SUCCEED", watched: "COMPLETED", booking: "ACTIVE", moved: []int64{12500}})
		case 2:
			all = append(all, &guest{wish: stacktest.Night(3, n, name, "************9999"), status: "FAILED", watched: "ABORTED", booking: "RELEASED"})
		default: // whichever comes first to the payment, the charge or the room's refusal
			all = append(all, &guest{wish: stacktest.Night(2, n, name, "************1111"), status: "FAILED", watched: "ABORTED", moved: []int64{12500, -12500}})
		}
	}
	return all
}

func (d *dance) place(all []*guest) {
	d.Helper()
	for _, g := range all {
		var err error
		g.id, err = d.Place(d.Context(), g.wish, g.wish.GuestID)
		require.NoError(d, err)
	}
}

// overview is the watcher's line of a reservation.
func (d *dance) overview(id string) (status, reason string) {
	d.Helper()
	require.NoError(d, d.Reservation.QueryRow(context.Background(),
		`SELECT coalesce(max(status), ''), coalesce(max(reason), '') FROM saga_overview WHERE business_key = $1`, id).Scan(&status, &reason))
	return status, reason
}

// end waits until the watcher shows the end of all, and looks at the three databases then.
func (d *dance) end(all []*guest) {
	d.Helper()
	for _, g := range all {
		require.Eventually(d, func() bool { status, _ := d.overview(g.id); return status == g.watched }, 2*time.Minute, 50*time.Millisecond,
			"%s: want %s", g.wish.GuestID, g.watched)
	}
	d.check(all)
}

func (d *dance) check(all []*guest) {
	d.Helper()
	for _, g := range all {
		var saga, status, booking string
		require.Eventually(d, func() bool {
			require.NoError(d, d.Reservation.QueryRow(context.Background(), `SELECT saga_id::text, status FROM reservation WHERE id = $1`, g.id).Scan(&saga, &status))
			return status == g.status
		}, time.Minute, 50*time.Millisecond, "%s: want %s", g.wish.GuestID, g.status)
		require.NoError(d, d.Hotel.QueryRow(context.Background(), `SELECT coalesce(string_agg(state, ' '), '') FROM booking WHERE saga_id = $1`, saga).Scan(&booking))
		if g.booking == "RELEASED" && booking == "" { // the decline came first
			booking = "RELEASED"
		}
		require.Equal(d, g.booking, booking, g.wish.GuestID)
		var moved []int64
		require.NoError(d, d.Payment.QueryRow(context.Background(), `SELECT array_agg(CASE kind WHEN 'CHARGE' THEN amount ELSE -amount END ORDER BY kind) FROM ledger WHERE saga_id = $1`, saga).Scan(&moved))
		if len(g.moved) == 2 && moved == nil { // the refusal came first
			moved = g.moved
		}
		require.Equal(d, g.moved, moved, g.wish.GuestID)
	}
	require.Zero(d, stacktest.Count(d.T, d.Reservation, `SELECT count(*) FROM saga`), "no orchestrator has done anything")
	for name, db := range map[string]*pgxpool.Pool{"reservation": d.Reservation, "hotel": d.Hotel, "payment": d.Payment} {
		require.Zero(d, stacktest.Count(d.T, db, `SELECT count(*) FROM inbox_quarantine`), name)
	}
}

// published counts the facts that the three services have written.
func (d *dance) published() (facts int) {
	d.Helper()
	for _, db := range []*pgxpool.Pool{d.Reservation, d.Hotel, d.Payment} {
		facts += stacktest.Count(d.T, db, `SELECT count(*) FROM outbox WHERE exchange = 'saga.events'`)
	}
	return facts
}

// All is published twice more: nothing is done again and nothing more is told.
func TestChoreographyWithCopies(t *testing.T) {
	d := startDance(t, "1m")
	all := guests(0, 8)
	d.place(all)
	d.end(all)
	before := d.published()
	for range 2 {
		for _, db := range []*pgxpool.Pool{d.Reservation, d.Hotel, d.Payment} {
			count, err := outboxpg.New(db, "").Replay(t.Context(), outboxpg.ReplayFilter{}, "test", func(outboxpg.ReplayCount) {})
			require.NoError(t, err)
			require.Positive(t, count.Replayed)
			require.Eventually(t, func() bool { return stacktest.Count(t, db, `SELECT count(*) FROM outbox_parked`) == 0 }, time.Minute, 50*time.Millisecond)
		}
	}
	// What is placed now stands behind the copies in each queue.
	last := guests(8, 12)
	d.place(last)
	d.end(last)
	d.check(all)
	require.Equal(t, before+before/2, d.published(), "the copies made no fact")
}

// Each service, the relay and the watcher are killed while reservations are under way.
func TestChoreographyUnderKills(t *testing.T) {
	d := startDance(t, "1m")
	all := guests(0, 40)
	for i, name := range []string{"hotel", "payment", "reservation", "relay", "orchestrator"} {
		some := all[8*i : 8*i+8]
		d.place(some[:4])
		require.NoError(t, d.Kill(name))
		if name != "reservation" {
			d.place(some[4:])
		}
		require.NoError(t, d.Restart(t.Context(), name))
		if name == "reservation" {
			d.place(some[4:])
		}
	}
	d.end(all)
	require.Zero(t, stacktest.Count(t, d.Reservation, `SELECT count(*) FROM saga_stuck`))
}

// A service that is away is named when its fact is due, the others' work waits for it and is
// complete when it is back. What nobody can tell any more stays late.
func TestChoreographyNamesWhoIsMissing(t *testing.T) {
	d := startDance(t, "2s")
	require.NoError(t, d.Kill("payment"))
	all := guests(0, 1)
	d.place(all)
	require.Eventually(t, func() bool {
		status, reason := d.overview(all[0].id)
		return status == "LATE" && strings.Contains(reason, "payment, reservation is missing: payment.captured was due at")
	}, time.Minute, 50*time.Millisecond)
	require.Equal(t, 1, stacktest.Count(t, d.Reservation, `SELECT count(*) FROM saga_stuck WHERE business_key = $1 AND status = 'LATE'`, all[0].id))
	require.NoError(t, d.Restart(t.Context(), "payment"))
	d.end(all)
	_, reason := d.overview(all[0].id)
	require.Contains(t, reason, "came late: payment.captured from payment")
}

// A fact that is lost leaves its course late, and names the service; nothing else is held up.
func TestChoreographyWithALostFact(t *testing.T) {
	d := startDance(t, "2s")
	_, err := d.Hotel.Exec(t.Context(), `CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN IF NEW.type = 'room.booked' THEN NEW.routing_key := 'nobody.hears.it'; END IF; RETURN NEW; END $$;
		CREATE TRIGGER lose BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION lose()`)
	require.NoError(t, err)
	lost := guests(0, 1)
	d.place(lost)
	require.Eventually(t, func() bool {
		status, reason := d.overview(lost[0].id)
		return status == "LATE" && strings.HasPrefix(reason, "hotel, reservation is missing: room.booked was due at")
	}, time.Minute, 50*time.Millisecond)
	_, err = d.Hotel.Exec(t.Context(), `DROP TRIGGER lose ON outbox`)
	require.NoError(t, err)
	others := guests(1, 2)
	d.place(others)
	d.end(others)
	status, _ := d.overview(lost[0].id)
	require.Equal(t, "LATE", status)
}
