package orchestratorcmd

import (
	"fmt"
	"strings"

	"go.example/saga/pkg/saga"
)

// graph draws a definition as a Mermaid flowchart: what follows each answer, by the
// rules of package saga.
func graph(def saga.Definition) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, "    "+format+"\n", args...) }
	fmt.Fprintf(&b, "%%%% %s version %d\nflowchart LR\n", def.Name, def.Version)
	line("start([start]) --> r0")
	for i, step := range def.Steps {
		line("%s", node(i, step))
		line("r%d -- succeeded --> %s", i, next(def, i))
		switch step.Type {
		case saga.Compensatable:
			line("r%d -. refused .-> %s", i, previous(i))
			line("r%d -. outcome unknown .-> c%d", i, i)
			line("c%d[%q]", i, "cancel "+step.Name+"<br/>"+patience(step.Cancel))
			line("c%d -. compensated .-> %s", i, previous(i))
			line("c%d -. attempts spent .-> parked", i)
		case saga.Pivot:
			line("r%d -. refused .-> %s", i, previous(i))
			line("r%d -. outcome unknown .-> parked", i)
		case saga.Retriable:
			line("r%d -. attempts spent .-> parked", i)
		}
	}
	line("completed([COMPLETED])")
	line("aborted([ABORTED])")
	line("parked[/\"PARKED: an operator decides\"/]")
	return b.String()
}

// node is the request of a step; a pivot has another shape.
func node(i int, step saga.StepDefinition) string {
	if step.Type == saga.Pivot {
		return fmt.Sprintf("r%d{{%q}}", i, "pivot "+step.Name+"<br/>"+patience(step.Request))
	}
	return fmt.Sprintf("r%d[%q]", i, step.Name+"<br/>"+patience(step.Request))
}

// next is the node after the step succeeded.
func next(def saga.Definition, i int) string {
	if i == len(def.Steps)-1 {
		return "completed"
	}
	return fmt.Sprintf("r%d", i+1)
}

// previous is the node that undoes what came before the step. Only compensatable
// steps come before one that can fail.
func previous(i int) string {
	if i == 0 {
		return "aborted"
	}
	return fmt.Sprintf("c%d", i-1)
}

func patience(p saga.Policy) string { return fmt.Sprintf("%d × %s", p.Retry.Attempts, p.Timeout) }
