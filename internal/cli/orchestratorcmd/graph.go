package orchestratorcmd

import (
	"fmt"
	"strings"

	"go.example/saga/pkg/saga"
)

// graph draws a definition as a Mermaid flowchart: what follows each answer, by the
// rules of package saga.
func graph(def saga.Definition) string {
	g := drawing{def: def, stages: stagesOf(def)}
	start := "start"
	if def.Deadline > 0 {
		start += "<br/>deadline " + def.Deadline.String()
	}
	g.node("start([%s])", label(start))
	g.edge("start --> %s", g.entry(0))
	for k, stage := range g.stages {
		if stage.group != "" {
			g.group(k)
		} else {
			g.alone(k)
		}
	}
	if def.Mode == saga.TCC {
		g.confirmations()
	}
	g.node("completed([COMPLETED])")
	g.node("aborted([ABORTED])")
	g.node("parked[/%s/]", label("PARKED: an operator decides"))
	return fmt.Sprintf("%%%% %s version %d\nflowchart LR\n", def.Name, def.Version) + g.nodes.String() + g.edges.String()
}

// drawing is a flowchart in the making. Step i has the nodes w (its condition), r (its
// request), c (its cancel) and f (its confirmation); the group at stage k has the boxes
// g and x (its cancels). All nodes are written before the edges, for an edge would draw
// what it leads to into the box in which it is written.
type drawing struct {
	def          saga.Definition
	stages       []stage
	nodes, edges strings.Builder
}

func (g *drawing) node(format string, args ...any) {
	fmt.Fprintf(&g.nodes, "    "+format+"\n", args...)
}

func (g *drawing) edge(format string, args ...any) {
	fmt.Fprintf(&g.edges, "    "+format+"\n", args...)
}

// box draws nodes within a border.
func (g *drawing) box(id, title string, content func()) {
	g.node("subgraph %s[%s]", id, label(title))
	content()
	g.node("end")
}

// stage is a group, or a step alone: the steps from, inclusive, to, exclusive.
type stage struct {
	group    string
	from, to int
}

func stagesOf(def saga.Definition) []stage {
	var stages []stage
	for i, s := range def.Steps {
		if n := len(stages); n > 0 && s.Group != "" && s.Group == stages[n-1].group {
			stages[n-1].to = i + 1
			continue
		}
		stages = append(stages, stage{group: s.Group, from: i, to: i + 1})
	}
	return stages
}

// entry is where stage k begins; after the last one the saga confirms or is complete.
func (g *drawing) entry(k int) string {
	switch {
	case k == len(g.stages) && g.def.Mode == saga.TCC:
		return "confirm"
	case k == len(g.stages):
		return "completed"
	case g.stages[k].group != "":
		return fmt.Sprintf("g%d", k)
	case g.def.Steps[g.stages[k].from].When != "":
		return fmt.Sprintf("w%d", g.stages[k].from)
	}
	return fmt.Sprintf("r%d", g.stages[k].from)
}

// undo is where everything that the stages before k have done is undone.
func (g *drawing) undo(k int) string {
	for k--; k >= 0; k-- {
		if own := g.cancels(k); own != "" {
			return own
		}
	}
	return "aborted"
}

// cancels is where stage k is undone; empty where it has nothing to undo.
func (g *drawing) cancels(k int) string {
	for i := g.stages[k].from; i < g.stages[k].to; i++ {
		switch {
		case !cancellable(g.def.Steps[i]):
		case g.stages[k].group != "":
			return fmt.Sprintf("x%d", k)
		default:
			return fmt.Sprintf("c%d", i)
		}
	}
	return ""
}

func cancellable(s saga.StepDefinition) bool {
	return s.Kind == saga.Command && s.Type == saga.Compensatable
}

// label is a text that Mermaid takes as it is; only line breaks stay markup.
func label(text string) string {
	lines := strings.Split(text, "<br/>")
	for i, line := range lines {
		lines[i] = unmarked.Replace(line)
	}
	return `"` + strings.Join(lines, "<br/>") + `"`
}

var unmarked = strings.NewReplacer(
	"#", "#35;", `"`, "#quot;", "&", "#amp;", "<", "#lt;", ">", "#gt;", "`", "#96;", "\n", " ", "\r", " ")
