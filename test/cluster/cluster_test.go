package cluster

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
)

type pool = pgxpool.Pool

// fault is something that befalls a cluster. It is begun, lasts, and is mended.
type fault struct {
	name  string
	lasts time.Duration
	begin func(*nodes) (mend func())
}

// The first node is the one address, and the first of the list.
var faults = []fault{
	{"node killed", 20 * time.Second, func(n *nodes) func() {
		n.kill(0)
		return func() { n.start(0) }
	}},
	{"leader killed", 20 * time.Second, func(n *nodes) func() {
		leads, leader := n.leads(), 1
		if leads[2] > leads[1] {
			leader = 2
		}
		n.Logf("node %d of %v leads is killed", leader+1, leads)
		n.kill(leader)
		return func() { n.start(leader) }
	}},
	{"node frozen", 40 * time.Second, func(n *nodes) func() {
		n.signal(0, syscall.SIGSTOP)
		return func() { n.signal(0, syscall.SIGCONT) }
	}},
	{"partition", 40 * time.Second, func(n *nodes) func() {
		n.part(0)
		return func() { n.heal(0) }
	}},
	{"no quorum", 40 * time.Second, func(n *nodes) func() {
		n.kill(1, 2)
		return func() { n.start(1, 2) }
	}},
}

const (
	before = 5 * time.Second
	after  = 10 * time.Second
)

// limits are how late a reservation may be at most, where the road leads around the fault.
var limits = map[string]time.Duration{
	"node frozen, haproxy": 12 * time.Second,
	"node killed, a list":  12 * time.Second,
	"node killed, haproxy": 12 * time.Second,
}

// TestCluster plays all faults on all roads, or those whose names FAULT is a part of.
func TestCluster(t *testing.T) {
	if !wanted {
		t.Skip("it is for `make cluster-test`")
	}
	n := startNodes(t)
	var parties []*party
	for i, road := range n.roads() {
		vhost := fmt.Sprintf("road%d", i+1)
		n.vhost(vhost)
		s := stacktest.StartOn(t, "amqp://guest:guest@"+road.address+"/"+vhost)
		parties = append(parties, &party{T: t, Stack: s, road: road})
	}
	var rows []row
	for _, f := range faults {
		if strings.Contains(f.name, os.Getenv("FAULT")) {
			rows = append(rows, n.play(f, parties)...)
			t.Logf("so far:\n%s", table(rows))
		}
	}
	for _, r := range rows {
		assert.Zero(t, r.lost+r.doubled+r.stuck+r.aborted+r.aside, "%s, %s: lost, doubled, stuck, aborted or set aside", r.fault, r.road)
		if most, limited := limits[r.fault+", "+r.road]; limited {
			assert.LessOrEqual(t, r.longest, most, "%s, %s: the longest delay", r.fault, r.road)
		}
	}
}

// play lets the fault befall all parties at once.
func (n *nodes) play(f fault, parties []*party) []row {
	n.Helper()
	n.balance()
	var phases []*phase
	for _, p := range parties {
		require.NoError(n, p.Ready(n.Context()))
		phases = append(phases, p.begin(f.name))
	}
	<-time.After(before)
	for _, phase := range phases {
		phase.breaks()
	}
	mend := f.begin(n)
	<-time.After(f.lasts)
	mend()
	for _, phase := range phases {
		phase.mended()
	}
	<-time.After(after)
	rows := make([]row, len(phases))
	var all sync.WaitGroup
	for i, phase := range phases {
		all.Go(func() { rows[i] = phase.end() })
	}
	all.Wait()
	return rows
}

// table is for people, and for docs/operators.md.
func table(rows []row) string {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| fault\t| road\t| reservations\t| longest delay\t| later than 2 s\t| lost, doubled, stuck, aborted, aside\t| `/readyz` told after\t| programs\t| ready again after\t| load\t|")
	fmt.Fprintln(w, "| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t|")
	for _, r := range rows {
		told := "-"
		if r.unready > 0 {
			told = fmt.Sprintf("%.1f s", r.refused.Seconds())
		}
		fmt.Fprintf(w, "| %s\t| %s\t| %d\t| %.1f s\t| %d\t| %d, %d, %d, %d, %d\t| %s\t| %d\t| %.1f s\t| %s\t|\n", r.fault, r.road, r.placed, r.longest.Seconds(), r.late,
			r.lost, r.doubled, r.stuck, r.aborted, r.aside, told, r.unready, r.healed.Seconds(), r.load)
	}
	_ = w.Flush() // a buffer takes everything
	return text.String()
}

func (p *party) count(db *pool, query string, args ...any) int {
	p.Helper()
	return stacktest.Count(p.T, db, query, args...)
}

func (p *party) ids(query string, args ...any) []string {
	p.Helper()
	rows, err := p.Reservation.Query(p.Context(), query, args...)
	require.NoError(p, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(p, err)
	return found
}

// load is the machine's: what is slow may only be busy.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
