package desk

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
)

// The desk of the tests: a record is nothing but its message, and a place in the log is
// the number of rows before it.
type (
	testEntry   = Entry[Message, int]
	testWritten = Written[Message, int]
)

// TestDeskRules plays the conversations in testdata: what the desk is told, and
// below it what it does. Rewrite the answers with
//
//	go test ./pkg/outbox/desk -run TestDeskRules -rewrite
//
// and read the difference.
func TestDeskRules(t *testing.T) {
	t.Parallel()
	datadriven.Walk(t, "testdata/conversations", func(t *testing.T, path string) {
		p := &play{entries: map[int64]*testEntry{}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return p.command(t, d) })
	})
}

// play is a desk in a conversation. A message is written as its id and aggregate, as
// in 7a.
type play struct {
	desk    *Desk[Message, int]
	entries map[int64]*testEntry // sent, by id
	saving  testWritten
}

func (p *play) command(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	switch d.Cmd {
	case "desk": // desk window=8 blocked=(a)
		p.open(t, d)
		return ""
	case "page": // page 1a 2a 3b@later
		for _, m := range p.records(d) {
			p.desk.Admit(m, m, int(m.ID))
		}
	case "due": // due retry 1a 2a, the state being the first one's
		for _, due := range p.due(t, d) {
			p.desk.AdmitDue(due.Record, due)
		}
	case "confirmed":
		p.each(d, p.desk.Confirmed)
	case "refused": // refused unroutable 1a
		reason := d.CmdArgs[0].Key
		d.CmdArgs = d.CmdArgs[1:]
		p.each(d, func(e *testEntry) { p.desk.Refused(e, reason, "no") })
	case "save":
		p.saving = p.desk.Take()
		return tell(p.saving)
	case "saved": // saved blocked=(a)
		p.desk.Saved(p.saving, args(d, "blocked"))
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
	limits := Limits{Window: window, InFlight: window, Bytes: 1 << 20, Open: 2 * window}
	policy := Policy{First: time.Second, Longest: time.Minute, RetryFor: time.Hour}
	p.desk = New[Message](limits, policy, func() float64 { return 0.5 }, 0, args(d, "blocked"))
}

func args(d *datadriven.TestData, key string) []string {
	for _, a := range d.CmdArgs {
		if a.Key == key {
			return a.Vals
		}
	}
	return nil
}

func (p *play) records(d *datadriven.TestData) (list []Message) {
	for _, a := range d.CmdArgs {
		name, later := strings.CutSuffix(a.Key, "@later")
		m := Message{Scheduled: later}
		_, _ = fmt.Sscanf(name, "%d%s", &m.ID, &m.Aggregate)
		list = append(list, m)
	}
	return list
}

func (p *play) due(t *testing.T, d *datadriven.TestData) (list []Due[Message]) {
	t.Helper()
	require.NotEmpty(t, d.CmdArgs)
	state, attempts := State(d.CmdArgs[0].Key), 1
	d.CmdArgs = d.CmdArgs[1:]
	for _, r := range p.records(d) {
		if state != Retry {
			attempts = 0
		}
		list = append(list, Due[Message]{Record: r, State: state, Attempts: attempts, Age: time.Minute})
		if state == Retry {
			state = Waiting // those behind the first
		}
	}
	return list
}

func (p *play) each(d *datadriven.TestData, do func(*testEntry)) {
	for _, r := range p.records(d) {
		do(p.entries[r.ID])
		delete(p.entries, r.ID)
	}
}

// send is what the loop does after each event.
func (p *play) send() string {
	var sent []string
	for e := p.desk.Next(); e != nil; e = p.desk.Next() {
		p.entries[e.ID] = e
		sent = append(sent, name(e.Message))
	}
	if len(sent) == 0 {
		return "-\n"
	}
	return "send " + strings.Join(sent, " ") + "\n"
}

func name(m Message) string { return fmt.Sprint(m.ID, m.Aggregate) }

func tell(w testWritten) string {
	var b strings.Builder
	fmt.Fprintf(&b, "passed %d published\n", w.Passed)
	for _, e := range w.Parked {
		p := e.Parking()
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
	for _, e := range w.Unparked {
		gone = append(gone, name(e.Message))
	}
	if len(gone) > 0 {
		fmt.Fprintf(&b, "unpark %s\n", strings.Join(gone, " "))
	}
	return b.String()
}

// Large messages wait for room in the flight, on the desk and in the ledger alike.
func TestDeskBoundsSizes(t *testing.T) {
	t.Parallel()
	const size = 100
	d := New[Message](Limits{Window: 100, InFlight: 50, Bytes: 3 * size, Open: 100}, Policy{}, func() float64 { return 0 }, 0, []string{"9"})
	large := func(id int64) Message { return Message{ID: id, Aggregate: fmt.Sprint(id), Size: size} }
	admit := func(id int64) { d.Admit(large(id), Message{}, int(id)) }
	admit(1)
	admit(2)
	require.True(t, d.WantsPage())
	require.True(t, d.WantsDue())
	d.AdmitDue(large(3), Due[Message]{State: Scheduled})
	require.False(t, d.WantsPage(), "parked ones count")
	require.False(t, d.WantsDue())

	first, second := d.Next(), d.Next()
	require.NotNil(t, d.Next())
	admit(4)
	require.Nil(t, d.Next(), "the flight is full")
	d.Confirmed(first)
	require.NotNil(t, d.Next())
	d.Confirmed(second)

	admit(9)
	admit(9)
	require.False(t, d.WantsPage(), "what waits to be parked counts until it is saved")
}

func TestDeskTellsWhatIsInWork(t *testing.T) {
	t.Parallel()
	d := New[Message](Limits{Window: 10, InFlight: 5, Bytes: 1, Open: 10}, Policy{}, func() float64 { return 0 }, 0, nil)
	require.Zero(t, d.Oldest())
	created := time.Unix(1, 0)
	d.Admit(Message{ID: 5, CreatedAt: created}, Message{}, 1)
	require.Equal(t, created, d.Oldest())
	require.Equal(t, 1, d.Open())
	d.AdmitDue(Message{ID: 1}, Due[Message]{})
	d.AdmitDue(Message{ID: 2}, Due[Message]{})
	require.ElementsMatch(t, []int64{1, 2}, d.InWork())
	d.AdmitGap(2)
	for e := d.Next(); e != nil; e = d.Next() {
		require.Equal(t, 1, d.InFlight())
		d.Confirmed(e)
	}
	require.Zero(t, d.Oldest())
	require.Zero(t, d.Open())
	require.EqualValues(t, 5, d.PublishedID(), "of the log")
	require.ElementsMatch(t, []int64{1, 2}, d.InWork(), "until the database knows")
}

func TestEntriesTellWhereTheyComeFrom(t *testing.T) {
	t.Parallel()
	d := New[Message](Limits{Window: 10, InFlight: 5, Bytes: 1, Open: 10}, Policy{}, func() float64 { return 0 }, 0, nil)
	d.Admit(Message{ID: 1}, Message{ID: 1}, 1)
	ofTheLog := d.Next()
	require.False(t, ofTheLog.WasParked())
	require.Empty(t, ofTheLog.Reason())
	d.Confirmed(ofTheLog)
	d.AdmitDue(Message{ID: 2}, Due[Message]{Reason: Fatal})
	parked := d.Next()
	require.True(t, parked.WasParked())
	require.Equal(t, Fatal, parked.Reason())
}
