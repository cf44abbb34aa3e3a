package orchestratorcmd

import (
	"fmt"

	"go.example/saga/pkg/saga"
)

// arrows say where the answers of a step lead. The steps of a group have none for
// success: their box has it.
type arrows struct{ succeeded, refused, unknown string }

// alone draws a step that is a stage.
func (g *drawing) alone(k int) {
	i := g.stages[k].from
	to := arrows{succeeded: g.entry(k + 1), refused: g.undo(k), unknown: g.undo(k + 1)}
	g.request(i)
	if g.def.Steps[i].When != "" {
		g.edge("w%d -- no --> %s", i, to.succeeded)
	}
	g.answers(i, to)
	if own := g.cancels(k); own != "" {
		g.cancel(i)
		g.edge("%s -. compensated .-> %s", own, to.refused)
	}
}

// group draws steps that run side by side, and their cancels likewise.
func (g *drawing) group(k int) {
	stage := g.stages[k]
	back := g.undo(k + 1) // a refusal cancels its neighbours as well
	g.box(fmt.Sprintf("g%d", k), stage.group+": side by side", func() {
		for i := stage.from; i < stage.to; i++ {
			g.request(i)
			if g.def.Steps[i].When != "" {
				g.node("n%d([not needed])", i)
				g.edge("w%d -- no --> n%d", i, i)
			}
		}
	})
	g.edge("g%d -- all through --> %s", k, g.entry(k+1))
	for i := stage.from; i < stage.to; i++ {
		g.answers(i, arrows{refused: back, unknown: back})
	}
	own := g.cancels(k)
	if own == "" {
		return
	}
	g.box(own, "cancel "+stage.group+": side by side", func() {
		for i := stage.from; i < stage.to; i++ {
			if cancellable(g.def.Steps[i]) {
				g.cancel(i)
			}
		}
	})
	g.edge("%s -. all compensated .-> %s", own, g.undo(k))
}

// request draws what a step does, after its condition. Pivots, delays and signals have
// shapes of their own.
func (g *drawing) request(i int) {
	s := g.def.Steps[i]
	if s.When != "" {
		g.node("w%d{%s}", i, label(string(s.When)))
		g.edge("w%d -- yes --> r%d", i, i)
	}
	switch {
	case s.Kind == saga.Delay:
		g.node("r%d(%s)", i, label("delay "+s.Name+"<br/>"+s.Wait.String()))
	case s.Kind == saga.Signal:
		within := "within " + s.Wait.String()
		if s.OnTimeout == saga.TimeoutProceeds {
			within += ", or without" // a group has no arrow for it
		}
		g.node("r%d>%s]", i, label("signal "+s.Name+"<br/>"+within))
	case s.Type == saga.Pivot:
		g.node("r%d{{%s}}", i, label("pivot "+s.Name+"<br/>"+patience(s.Request)))
	case g.def.Mode == saga.TCC:
		g.node("r%d[%s]", i, label("reserve "+s.Name+"<br/>"+patience(s.Request)))
	default:
		g.node("r%d[%s]", i, label(s.Name+"<br/>"+patience(s.Request)))
	}
}

func (g *drawing) cancel(i int) {
	s := g.def.Steps[i]
	g.node("c%d[%s]", i, label("cancel "+s.Name+"<br/>"+patience(s.Cancel)))
	g.edge("c%d -. attempts spent .-> parked", i)
}

// answers draws the arrows of a step.
func (g *drawing) answers(i int, to arrows) {
	switch s := g.def.Steps[i]; s.Kind {
	case saga.Delay:
		g.solid(i, "time is over", to.succeeded)
	case saga.Signal:
		g.solid(i, "signalled", to.succeeded)
		g.unsignalled(i, to)
	case saga.Command:
		g.solid(i, "succeeded", to.succeeded)
		g.unanswered(i, s.Type, to)
	}
}

func (g *drawing) unanswered(i int, kind saga.StepType, to arrows) {
	switch kind {
	case saga.Compensatable:
		g.dotted(i, "refused", to.refused)
		g.dotted(i, "outcome unknown", to.unknown)
	case saga.Pivot:
		g.dotted(i, "refused", to.refused)
		g.dotted(i, "outcome unknown", "parked")
	case saga.Retriable:
		g.dotted(i, "attempts spent", "parked")
	}
}

// unsignalled draws a no and silence. Where there is no way back, a no is declined.
func (g *drawing) unsignalled(i int, to arrows) {
	if !g.noWayBack(i) {
		g.dotted(i, "refused", to.refused)
	}
	switch g.def.Steps[i].OnTimeout {
	case saga.TimeoutProceeds:
		g.solid(i, "nobody in time", to.succeeded)
	case saga.TimeoutParks:
		g.dotted(i, "nobody in time", "parked")
	case saga.TimeoutRefuses:
		g.dotted(i, "nobody in time", to.refused)
	}
}

// noWayBack says whether a step that cannot be undone comes before, or goes beside.
func (g *drawing) noWayBack(i int) bool {
	for _, stage := range g.stages {
		for j := stage.from; j < stage.to; j++ {
			if s := g.def.Steps[j]; s.Kind == saga.Command && s.Type != saga.Compensatable {
				return true
			}
		}
		if i < stage.to {
			break
		}
	}
	return false
}

// solid draws an arrow onward; the steps of a group have none.
func (g *drawing) solid(i int, when, to string) {
	if to != "" {
		g.edge("r%d -- %s --> %s", i, when, to)
	}
}

func (g *drawing) dotted(i int, when, to string) { g.edge("r%d -. %s .-> %s", i, when, to) }

// confirmations draws the end of mode TCC.
func (g *drawing) confirmations() {
	g.box("confirm", "confirm: side by side", func() {
		for i, s := range g.def.Steps {
			if s.Kind != saga.Command {
				continue
			}
			g.node("f%d[%s]", i, label("confirm "+s.Name+"<br/>"+patience(s.Confirm)))
			g.edge("f%d -. attempts spent .-> parked", i)
		}
	})
	g.edge("confirm -- all confirmed --> completed")
}

func patience(p saga.Policy) string {
	return fmt.Sprintf("%d × %s, retry for %s", p.Retry.Attempts, p.Timeout, p.RetryFor)
}
