package saga_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagayaml"
)

// TestConversations plays the conversations in testdata: what happens to a saga,
// and below each event what it does. Rewrite the answers with
//
//	go test ./pkg/saga -run TestConversations -rewrite
//
// and read the difference.
func TestConversations(t *testing.T) {
	datadriven.Walk(t, "testdata/conversations", func(t *testing.T, path string) {
		var c conversation
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return c.play(t, d) })
	})
}

// conversation is one saga and its clock.
type conversation struct {
	def   saga.Definition
	state saga.State
	now   time.Time
}

var epoch = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func (c *conversation) play(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	switch d.Cmd {
	case "definition":
		def, err := sagayaml.Parse([]byte(d.Input))
		require.NoError(t, err)
		c.def, c.now = def, epoch
		return fmt.Sprintf("%s version %d\n", def.Name, def.Version)
	case "start":
		return c.start(t, d)
	case "wait":
		var by string
		d.ScanArgs(t, "for", &by)
		wait, err := time.ParseDuration(by)
		require.NoError(t, err)
		c.now = c.now.Add(wait)
		return ""
	case "timer":
		if d.HasArg("due") { // let the time pass until the timer is due
			require.False(t, c.state.WakeAt().IsZero(), "nothing is timed")
			c.now = c.state.WakeAt()
		}
		return c.step(c.timer(d))
	case "asks":
		return fmt.Sprintf("  %s\n", c.timer(d).Destinations(c.def, c.state, c.now))
	case "rests":
		if until := c.timer(d).Rests(c.def, c.state, c.now); !until.IsZero() {
			return fmt.Sprintf("  until +%s\n", until.Sub(epoch))
		}
		return "  there is something to decide\n"
	case "reply":
		return c.step(c.reply(t, d))
	case "signal":
		return c.step(c.signal(t, d))
	case "operator":
		return c.step(c.action(t, d))
	}
	d.Fatalf(t, "unknown command %q", d.Cmd)
	return ""
}

func (c *conversation) start(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	payload, err := jsonmap.Parse([]byte(d.Input))
	require.NoError(t, err)
	tr, err := saga.Start(c.def, saga.StartParams{ID: saga.ID{1}, BusinessKey: "r-1", Payload: payload}, c.now)
	require.NoError(t, err)
	c.state = tr.Next
	return c.tell(tr)
}

func (c *conversation) step(e saga.Event) string {
	tr := saga.Step(c.def, c.state, e, c.now)
	c.state = tr.Next
	return c.tell(tr)
}

// timer reads «timer [held=WHY] [dead] [published=AFTER] [queue=(DESTINATION,WHY|AFTER)]…»: of
// a queue why nobody takes what lies in it, or since when somebody does.
func (c *conversation) timer(d *datadriven.TestData) saga.Timer {
	timer := saga.Timer{Undeliverable: d.HasArg("dead"), Queues: map[string]saga.Queue{}}
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "held":
			timer.Held = strings.ReplaceAll(arg.Vals[0], "_", " ")
		case "published":
			after, err := time.ParseDuration(arg.Vals[0])
			if err != nil {
				panic(err)
			}
			timer.Published = epoch.Add(after)
		case "queue":
			if after, err := time.ParseDuration(arg.Vals[1]); err == nil {
				timer.Queues[arg.Vals[0]] = saga.Queue{Served: epoch.Add(after)}
			} else {
				timer.Queues[arg.Vals[0]] = saga.Queue{Held: strings.ReplaceAll(arg.Vals[1], "_", " ")}
			}
		}
	}
	return timer
}

// reply reads «reply STEP OPERATION OUTCOME [attempt=N]»; the input is the output
// or the problem's title.
func (c *conversation) reply(t *testing.T, d *datadriven.TestData) saga.Reply {
	t.Helper()
	r := saga.Reply{
		Step: d.CmdArgs[0].Key, Operation: saga.Operation(d.CmdArgs[1].Key), Outcome: saga.Outcome(d.CmdArgs[2].Key),
	}
	if d.HasArg("attempt") {
		d.ScanArgs(t, "attempt", &r.Attempt)
	}
	if strings.HasPrefix(d.Input, "{") {
		output, err := jsonmap.Parse([]byte(d.Input))
		require.NoError(t, err)
		r.Output = output
	} else {
		r.Problem.Title = d.Input
	}
	return r
}

// signal reads «signal STEP [refused]»; the input is the output or the reason.
func (c *conversation) signal(t *testing.T, d *datadriven.TestData) saga.Signalled {
	t.Helper()
	e := saga.Signalled{Step: d.CmdArgs[0].Key, Refused: d.HasArg("refused"), Who: "ada"}
	if !strings.HasPrefix(d.Input, "{") {
		e.Reason = d.Input
		return e
	}
	output, err := jsonmap.Parse([]byte(d.Input))
	require.NoError(t, err)
	e.Output = output
	return e
}

// toldWhy is what the event says beyond the state.
func toldWhy(e saga.EmitEvent) string {
	switch said := e.Problem.String(); {
	case e.Detail == "":
		return ""
	case said == "":
		return " (" + e.Detail + ")"
	default:
		return " (" + e.Detail + "; said " + said + ")"
	}
}

// action reads «operator VERB [step=NAME] [output=JSON]»; the input is the reason.
func (c *conversation) action(t *testing.T, d *datadriven.TestData) saga.Action {
	t.Helper()
	a := saga.Action{Verb: saga.Verb(d.CmdArgs[0].Key), Who: "ada", Reason: d.Input}
	if d.HasArg("step") {
		d.ScanArgs(t, "step", &a.Step)
	}
	if d.HasArg("output") {
		var text string
		d.ScanArgs(t, "output", &text)
		output, err := jsonmap.Parse([]byte(text))
		require.NoError(t, err)
		a.Output = output
	}
	return a
}

// tell says what became of the event, what goes out and where the saga stands.
func (c *conversation) tell(tr saga.Transition) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", tr.Entry.Disposition, tr.Entry.Detail)
	if said := tr.Entry.Problem.String(); said != "" {
		fmt.Fprintf(&b, "  said  %s\n", said)
	}
	for _, e := range tr.Effects {
		switch e := e.(type) {
		case saga.SendCommand:
			fmt.Fprintf(&b, "  send  %s %s #%d to %s%s\n", e.Operation, e.Step, e.Attempt, e.Destination, c.projected(e))
		case saga.EmitEvent:
			fmt.Fprintf(&b, "  tell  the saga is %s%s\n", e.Kind, toldWhy(e))
		}
	}
	s := tr.Next
	fmt.Fprintf(&b, "  now   %s v%d at +%s:", s.Status, s.Version, c.now.Sub(epoch))
	for _, step := range s.Steps {
		status := step.Status
		if status == saga.StepPending {
			status = "-"
		}
		fmt.Fprintf(&b, " %s %s", step.Name, status)
	}
	if s.Paused {
		b.WriteString(" (paused)")
	}
	b.WriteByte('\n')
	c.tellWaits(&b, s)
	if f := s.Failure; f != nil {
		fmt.Fprintf(&b, "  cause %s %s %s\n", f.Step, f.Class, f.Problem.Title)
	}
	return b.String()
}

// projected is what the command carries, where that is not everything.
func (c *conversation) projected(e saga.SendCommand) string {
	for _, step := range c.def.Steps {
		if step.Name == e.Step && step.Send != nil {
			text, err := json.Marshal(e.Payload)
			if err != nil {
				return " with " + err.Error()
			}
			return " with " + string(text)
		}
	}
	return ""
}

func (c *conversation) tellWaits(b *strings.Builder, s saga.State) {
	for _, step := range s.Steps {
		switch {
		case step.Park != "":
			fmt.Fprintf(b, "  park  %s: %s\n", step.Name, step.Park)
		case step.Held.Reason != "":
			fmt.Fprintf(b, "  held  %s %s since +%s: %s; until +%s\n", step.Operation(), step.Name, step.Held.Since.Sub(epoch), step.Held.Reason, step.WakeAt.Sub(epoch))
		case !step.WakeAt.IsZero():
			fmt.Fprintf(b, "  wait  for %s %s until +%s\n", step.Operation(), step.Name, step.WakeAt.Sub(epoch))
		}
	}
	if !s.Deadline.IsZero() {
		fmt.Fprintf(b, "  until +%s\n", s.Deadline.Sub(epoch))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Signals)) {
		fmt.Fprintf(b, "  kept  the signal for %s\n", name)
	}
}
