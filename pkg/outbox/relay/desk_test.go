package relay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/outboxpg"
)

// TestDeskRules plays the conversations in testdata/desk: what the desk is told, and
// below it what it does. Rewrite the answers with
//
//	go test ./pkg/outbox/relay -run TestDeskRules -rewrite
//
// and read the difference.
func TestDeskRules(t *testing.T) {
	t.Parallel()
	datadriven.Walk(t, "testdata/desk", func(t *testing.T, path string) {
		p := &play{entries: map[int64]*entry{}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return p.command(t, d) })
	})
}

// play is a desk in a conversation. A message is written as its id and aggregate, as
// in 7a.
type play struct {
	desk    *desk
	entries map[int64]*entry // sent, by id
	saving  written
}

func (p *play) command(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	switch d.Cmd {
	case "desk": // desk window=8 blocked=(a)
		p.open(t, d)
		return ""
	case "page": // page 1a 2a 3b@later
		p.desk.admit(outboxpg.Page{Records: p.records(d)})
	case "due": // due retry 1a 2a, the state being the first one's
		p.desk.admitDue(p.due(t, d))
	case "confirmed":
		p.each(d, p.desk.confirmed)
	case "refused": // refused unroutable 1a
		reason := d.CmdArgs[0].Key
		d.CmdArgs = d.CmdArgs[1:]
		p.each(d, func(e *entry) { p.desk.refused(e, reason, "no") })
	case "save":
		p.saving = p.desk.take()
		return tell(p.saving)
	case "saved": // saved blocked=(a)
		p.desk.saved(p.saving, args(d, "blocked"))
	default:
		d.Fatalf(t, "unknown command %q", d.Cmd)
	}
	return p.send()
}

func (p *play) open(t *testing.T, d *datadriven.TestData) {
	window := 8
	if d.HasArg("window") {
		d.ScanArgs(t, "window", &window)
	}
	limits := deskLimits{window: window, inFlight: window, bytes: 1 << 20, open: 2 * window}
	policy := policy{first: time.Second, longest: time.Minute, retryFor: time.Hour}
	p.desk = newDesk(limits, policy, func() float64 { return 0.5 }, outboxpg.Position{}, args(d, "blocked"))
}

func args(d *datadriven.TestData, key string) []string {
	for _, a := range d.CmdArgs {
		if a.Key == key {
			return a.Vals
		}
	}
	return nil
}

func (p *play) records(d *datadriven.TestData) (list []*outbox.Record) {
	for _, a := range d.CmdArgs {
		name, later := strings.CutSuffix(a.Key, "@later")
		r := new(outbox.Record)
		_, _ = fmt.Sscanf(name, "%d%s", &r.Position, &r.AggregateID)
		if later {
			r.DeliverAt = time.Unix(1e10, 0)
		}
		list = append(list, r)
	}
	return list
}

func (p *play) due(t *testing.T, d *datadriven.TestData) (list []outboxpg.Due) {
	t.Helper()
	require.NotEmpty(t, d.CmdArgs)
	state, attempts := outboxpg.ParkState(d.CmdArgs[0].Key), 1
	d.CmdArgs = d.CmdArgs[1:]
	for _, r := range p.records(d) {
		if state != outboxpg.Retry {
			attempts = 0
		}
		list = append(list, outboxpg.Due{Record: r, State: state, Attempts: attempts, Age: time.Minute})
		if state == outboxpg.Retry {
			state = outboxpg.Waiting // those behind the first
		}
	}
	return list
}

func (p *play) each(d *datadriven.TestData, do func(*entry)) {
	for _, r := range p.records(d) {
		do(p.entries[r.Position])
		delete(p.entries, r.Position)
	}
}

// send is what the loop does after each event.
func (p *play) send() string {
	var sent []string
	for e := p.desk.next(); e != nil; e = p.desk.next() {
		p.entries[e.record.Position] = e
		sent = append(sent, name(e.record))
	}
	if len(sent) == 0 {
		return "-\n"
	}
	return "send " + strings.Join(sent, " ") + "\n"
}

func name(r *outbox.Record) string { return fmt.Sprint(r.Position, r.AggregateID) }

func tell(w written) string {
	var b strings.Builder
	fmt.Fprintf(&b, "passed %d published\n", w.passed)
	for _, p := range w.parked {
		fmt.Fprintf(&b, "park %s as %s", name(p.Record), p.State)
		if p.Reason != "" {
			fmt.Fprintf(&b, ": %s, attempt %d", p.Reason, p.Attempts)
		}
		if p.Delay > 0 {
			fmt.Fprintf(&b, ", again in %v", p.Delay)
		}
		b.WriteString("\n")
	}
	var gone []string
	for _, e := range w.unparked {
		gone = append(gone, name(e.record))
	}
	if len(gone) > 0 {
		fmt.Fprintf(&b, "unpark %s\n", strings.Join(gone, " "))
	}
	return b.String()
}

// Large messages wait for room in the flight, on the desk and in the ledger alike.
func TestDeskBoundsBytes(t *testing.T) {
	t.Parallel()
	const size = 100
	limits := deskLimits{window: 100, inFlight: 50, bytes: 3 * size, open: 100}
	large := func(ids ...int64) (list []*outbox.Record) {
		for _, id := range ids {
			list = append(list, &outbox.Record{Position: id, Message: outbox.Message{AggregateID: fmt.Sprint(id), Payload: make([]byte, size)}})
		}
		return list
	}
	d := newDesk(limits, policy{}, func() float64 { return 0 }, outboxpg.Position{}, []string{"9"})
	d.admit(outboxpg.Page{Records: large(1, 2)})
	require.True(t, d.wantsPage())
	require.True(t, d.wantsDue())
	d.admitDue([]outboxpg.Due{{Record: large(3)[0], State: outboxpg.Scheduled}})
	require.False(t, d.wantsPage(), "parked ones count")
	require.False(t, d.wantsDue())

	first, second := d.next(), d.next()
	require.NotNil(t, d.next())
	d.admit(outboxpg.Page{Records: large(4)})
	require.Nil(t, d.next(), "the flight is full")
	d.confirmed(first)
	require.NotNil(t, d.next())
	d.confirmed(second)

	d.admit(outboxpg.Page{Records: large(9, 9)})
	require.False(t, d.wantsPage(), "what waits to be parked counts until it is saved")
}

func TestDeskTellsWhatIsInWork(t *testing.T) {
	t.Parallel()
	d := newDesk(deskLimits{window: 10, inFlight: 5, bytes: 1, open: 10}, policy{}, func() float64 { return 0 }, outboxpg.Position{}, nil)
	require.Zero(t, d.oldest())
	created := time.Unix(1, 0)
	d.admit(outboxpg.Page{Records: []*outbox.Record{{Position: 5, CreatedAt: created}}})
	require.Equal(t, created, d.oldest())
	d.admitDue([]outboxpg.Due{{Record: &outbox.Record{Position: 1}}, {Record: &outbox.Record{Position: 2}}})
	require.ElementsMatch(t, []int64{1, 2}, d.inWork())
	d.admit(outboxpg.Page{})
	for e := d.next(); e != nil; e = d.next() {
		d.confirmed(e)
	}
	require.Zero(t, d.oldest())
	require.ElementsMatch(t, []int64{1, 2}, d.inWork(), "until the database knows")
}
