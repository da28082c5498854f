package agents

import (
	"fmt"
	"reflect"
	"slices"

	"collect/hclspec/schema"
	"collect/planner/resource"
)

// A source's position belongs to its agent and its name. One that is written under another name does not go on at the old one's: all
// that was read comes again, or, where it begins at the end, what lies between is never read. People who rename things must hear that
// before.

// source is a source of an agent that runs, or could.
type source struct {
	part
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
		for _, p := range k.anatomy(spec).parts {
			if p.kind == schema.Source {
				out = append(out, source{part: p, agent: l.Address})
			}
		}
	}
	return out, nil
}

// anew says of a new source that it does not take the place of one that goes, where it reads the same.
func (k *agentKind) anew(p part, agent string, gone []source) string {
	for _, old := range gone {
		if !k.readsSame(p, old.part) {
			continue
		}
		name := old.label()
		if old.agent != agent {
			name += " of " + old.agent
		}
		return fmt.Sprintf("does not go on where %s stops: what that has read may come again (positions belong to the names of agent and source)", name)
	}
	return ""
}

// readsSame says that two sources read the same files, or are made alike where they read none.
func (k *agentKind) readsSame(p, q part) bool {
	if p.typ != q.typ {
		return false
	}
	arg := k.about(schema.Source, p.typ).Files
	if arg == "" {
		return reflect.DeepEqual(p.args, q.args)
	}
	list := func(v any) []any {
		if l, ok := v.([]any); ok {
			return l
		}
		return []any{v}
	}
	theirs := list(q.args[arg])
	return slices.ContainsFunc(list(p.args[arg]), func(v any) bool {
		return slices.ContainsFunc(theirs, func(w any) bool { return reflect.DeepEqual(v, w) })
	})
}

// gone gives the sources that leave a running agent, and those of agents that go.
func (d *differ) gone() []source {
	var out []source
	for _, p := range d.was.parts {
		if _, stays := d.is.find(p.path); p.kind == schema.Source && !stays {
			out = append(out, source{part: p, agent: d.address})
		}
	}
	return append(out, d.kind.left...)
}
