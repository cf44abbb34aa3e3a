package sagayaml

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"

	"go.example/saga/pkg/saga"
)

func (r *reader) definition(v value) saga.Definition {
	def := saga.Definition{Mode: saga.Sequence}
	m := r.keys(v, "name", "version", "style", "mode", "deadline", "webhooks", "steps")
	r.style(m["style"])
	r.text(m["name"], &def.Name)
	r.whole(m["version"], &def.Version)
	r.text(m["mode"], (*string)(&def.Mode))
	if r.duration(m["deadline"], &def.Deadline) && def.Deadline == 0 {
		r.fault(m["deadline"], "no time at all", "leave it out for a saga without a deadline")
	}
	for _, v := range r.list(m["webhooks"]) {
		var name string
		r.text(v, &name)
		def.Webhooks = append(def.Webhooks, name)
	}
	for _, s := range r.list(m["steps"]) {
		r.stage(s, &def)
	}
	return def
}

// style tells of a definition of another style.
func (r *reader) style(v value) {
	style := StyleOrchestration
	r.text(v, &style)
	switch style {
	case StyleOrchestration:
	case StyleChoreography:
		r.fault(v, "a choreography is watched and not driven, so it is not stored", "name its file in WATCH_DEFINITIONS of `orchestrator run`")
	default:
		r.fault(v, fmt.Sprintf("%q is not a style", short(style)), "use "+StyleOrchestration+" or "+StyleChoreography)
	}
}

// stage reads an entry of the list of steps: a step, or a group of them.
func (r *reader) stage(v value, def *saga.Definition) {
	if !r.isGroup(v) {
		r.step(v, "", def)
		return
	}
	v.flat = "group " + v.path // Validate knows its steps only
	members := r.keys(v, "parallel", "steps")
	group, ok := r.group(members["parallel"], def)
	steps := r.list(members["steps"])
	if len(steps) == 0 {
		r.fault(v, "no steps to run side by side", "list them under steps")
	}
	for _, s := range steps {
		if s.flat = v.flat; r.isGroup(s) {
			r.fault(s, "a group within a group", "list its steps beside the others")
			continue
		}
		if ok {
			r.places.known[stepPath(len(def.Steps))+".group"] = members["parallel"].place
		}
		r.step(s, group, def)
	}
}

func (r *reader) isGroup(v value) bool {
	mapping, ok := r.behind(v.node).(*ast.MappingNode)
	return ok && slices.ContainsFunc(mapping.Values, func(e *ast.MappingValueNode) bool {
		return e.Key.GetToken().Value == "parallel"
	})
}

// group reads the name of a group.
func (r *reader) group(v value, def *saga.Definition) (name string, ok bool) {
	ok = r.text(v, &name)
	if n := len(def.Steps); ok && n > 0 && def.Steps[n-1].Group == name {
		r.fault(v, fmt.Sprintf("the step before is of the group %q too", name),
			"put its steps into the same list, or give the groups different names")
	}
	return name, ok
}

func stepPath(i int) string { return fmt.Sprintf("steps[%d]", i) }
