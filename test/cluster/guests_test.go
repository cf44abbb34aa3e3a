package cluster

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/dev/stack/stacktest"
)

// pace is between two guests.
const pace = 100 * time.Millisecond

// patience is for a machine that does many other things.
const patience = 3 * time.Minute

// party is the guests of one road, and the programs that serve them.
type party struct {
	*testing.T
	*stacktest.Stack
	road   road
	nights int // that were asked for
}

// phase is what a party sees of one fault.
type phase struct {
	*party
	fault  string
	stop   context.CancelFunc
	tasks  sync.WaitGroup
	placed int

	mu      sync.Mutex
	began   time.Time // of the fault
	ended   time.Time // the servers are back
	refused time.Duration
	reasons map[string]string // of each program that was not ready, the first
	healed  time.Duration     // when the last program was ready again
}

// begin lets guests come, and watches the programs' readiness.
func (p *party) begin(fault string) *phase {
	ctx, stop := context.WithCancel(p.Context())
	f := &phase{party: p, fault: fault, stop: stop, reasons: map[string]string{}}
	f.tasks.Go(func() {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			night := p.nights
			p.nights++
			f.placed++
			f.tasks.Go(func() {
				// A guest who has begun to ask goes on until he is answered.
				ctx, cancel := context.WithTimeout(p.Context(), patience)
				defer cancel()
				_, err := p.Place(ctx, stacktest.Night(1+night%2*2, night, f.guest(), "************1111"), fmt.Sprintf("night-%d", night))
				assert.NoError(p, err)
			})
		}
	})
	for _, name := range stack.Daemons {
		f.tasks.Go(func() { f.watch(ctx, name) })
	}
	return f
}

// guest is what the phase's guests are known by.
func (f *phase) guest() string { return strings.ReplaceAll(f.fault, " ", "-") }

// watch asks a program whether it is ready, as an orchestrator of containers does.
func (f *phase) watch(ctx context.Context, name string) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := f.Health(ctx, name); ctx.Err() == nil {
			f.note(name, err)
		}
	}
}

func (f *phase) note(name string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil || f.began.IsZero() {
		return
	}
	if len(f.reasons) == 0 {
		f.refused = time.Since(f.began)
	}
	if f.reasons[name] == "" {
		f.reasons[name] = fmt.Sprintf("after %v: %v", time.Since(f.began).Round(100*time.Millisecond), err)
	}
	if !f.ended.IsZero() {
		f.healed = time.Since(f.ended)
	}
}

// breaks and mended say when the fault begins and ends.
func (f *phase) breaks() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.began = time.Now()
}

func (f *phase) mended() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = time.Now()
}

// row is what became of a phase's guests.
type row struct {
	fault, road                                string
	placed                                     int
	longest, refused, healed                   time.Duration
	late, lost, doubled, stuck, aborted, aside int
	unready                                    int
	load                                       string
}

// end waits until no more guests come and all sagas have ended, or patience has.
func (f *phase) end() row {
	f.Helper()
	f.stop()
	f.tasks.Wait()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for f.count(f.Reservation, `SELECT count(*) FROM reservation WHERE status = 'PENDING' AND guest_id = $1`, f.guest()) > 0 && time.Now().Before(deadline) {
		<-tick.C
	}
	r := row{fault: f.fault, road: f.road.name, placed: f.placed, unready: len(f.reasons), refused: f.refused, healed: f.healed, load: load()}
	var longest float64
	require.NoError(f, f.Reservation.QueryRow(f.Context(), `SELECT
			count(*) FILTER (WHERE status = 'PENDING'), count(*) FILTER (WHERE status = 'FAILED'), $2 - count(DISTINCT idempotency_key),
			count(*) - count(DISTINCT idempotency_key), count(*) FILTER (WHERE updated_at - created_at > '2 s'),
			extract(epoch FROM max(CASE status WHEN 'PENDING' THEN clock_timestamp() ELSE updated_at END - created_at))::float8
		FROM reservation WHERE guest_id = $1`, f.guest(), f.placed).Scan(&r.stuck, &r.aborted, &r.lost, &r.doubled, &r.late, &longest))
	r.longest = time.Duration(longest * float64(time.Second))
	f.deeds(&r)
	for name, reason := range f.reasons {
		f.Logf("%s, %s: %s was not ready %s", f.fault, f.road.name, name, reason)
	}
	return r
}

// deeds compares the participants' databases with the sagas that completed: what is missing
// there is lost, what is there twice is doubled.
func (f *phase) deeds(r *row) {
	f.Helper()
	sagas := f.ids(`SELECT saga_id::text FROM reservation WHERE guest_id = $1 AND status = 'SUCCEED'`, f.guest())
	rooms := f.count(f.Hotel, `SELECT count(DISTINCT saga_id) FROM booking WHERE state = 'ACTIVE' AND saga_id::text = ANY ($1)`, sagas)
	paid := f.count(f.Payment, `SELECT count(DISTINCT saga_id) FROM ledger WHERE kind = 'CHARGE' AND saga_id::text = ANY ($1)`, sagas)
	r.lost += 2*len(sagas) - rooms - paid
	r.doubled += f.count(f.Hotel, `SELECT count(*) FROM booking WHERE state = 'ACTIVE' AND saga_id::text = ANY ($1)`, sagas) - rooms
	r.doubled += f.count(f.Payment, `SELECT count(*) FROM ledger WHERE saga_id::text = ANY ($1)`, sagas) - paid
	for _, db := range []*pool{f.Reservation, f.Hotel, f.Payment} {
		r.aside += f.count(db, `SELECT count(*) FROM inbox_quarantine`)
	}
}
