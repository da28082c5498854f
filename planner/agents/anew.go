package agents

import (
	"fmt"
	"reflect"
	"slices"

	"collect/hclspec/schema"
	"collect/planner/agents/internal/anatomy"
	"collect/planner/resource"
)

// A source's position belongs to its agent and its name. One that is written under another name does not go on at the old one's: all
// that was read comes again, or, where it begins at the end, what lies between is never read. People who rename things must hear that
// before.

// source is a source of an agent that runs, or could.
type source struct {
	anatomy.Part
	agent string
}

// leaving gives the sources of the agents that nobody wants any more.
func (k *agentKind) leaving(lives []*resource.Live, want []*resource.Object) ([]source, error) {
	var out []source
	for _, l := range lives {
		if slices.ContainsFunc(want, func(o *resource.Object) bool { return o.Address == l.Address }) {
			continue
		}
		spec, err := specOf(l.Have)
		if err != nil {
			return nil, err
		}
		for _, p := range k.parts.Of(spec).Parts {
			if p.Kind == schema.Source {
				out = append(out, source{Part: p, agent: l.Address})
			}
		}
	}
	return out, nil
}

// anew says of a new source that it does not take the place of one that goes, where it reads the same.
func (k *agentKind) anew(p anatomy.Part, agent string, gone []source) string {
	for _, old := range gone {
		if !k.readsSame(p, old.Part) {
			continue
		}
		name := old.Label()
		if old.agent != agent {
			name += " of " + old.agent
		}
		return fmt.Sprintf("does not go on where %s stops: what that has read may come again (positions belong to the names of agent and source)", name)
	}
	return ""
}

// readsSame says that two sources read the same files, or are made alike where they read none.
func (k *agentKind) readsSame(p, q anatomy.Part) bool {
	if p.Type != q.Type {
		return false
	}
	arg := k.parts.About(schema.Source, p.Type).Files
	if arg == "" {
		return reflect.DeepEqual(p.Args, q.Args)
	}
	list := func(v any) []any {
		if l, ok := v.([]any); ok {
			return l
		}
		return []any{v}
	}
	theirs := list(q.Args[arg])
	return slices.ContainsFunc(list(p.Args[arg]), func(v any) bool {
		return slices.ContainsFunc(theirs, func(w any) bool { return reflect.DeepEqual(v, w) })
	})
}

// gone gives the sources that leave a running agent, and those of agents that go.
func (d *differ) gone() []source {
	var out []source
	for _, p := range d.was.Parts {
		if _, stays := d.is.Find(p.Path); p.Kind == schema.Source && !stays {
			out = append(out, source{Part: p, agent: d.address})
		}
	}
	return append(out, d.kind.left...)
}
