package tfjson

import (
	"strings"
	"time"

	"collect/planner"
	"collect/planner/resource"
	"collect/planner/state"
)

// Plan gives a plan in the shape of Terraform's plan JSON, format 1.2, with what has no place there under "collect".
func Plan(p *planner.Plan) map[string]any {
	changes := []any{}
	after, before := []any{}, []any{}
	for _, c := range p.Changes {
		changes = append(changes, changeJSON(p, c))
		if c.After != nil || p.Objects[c.Address] != nil && c.Action != resource.Delete {
			after = append(after, valueJSON(c.Address, c.Kind, wantOf(p, c)))
		}
		if c.Before != nil {
			before = append(before, valueJSON(c.Address, c.Kind, c.Before))
		}
	}
	for _, a := range p.Unchanged {
		kind, _, _ := strings.Cut(a, ".")
		changes = append(changes, identity(a, kind, map[string]any{
			"change": map[string]any{"actions": []string{"no-op"}, "before": nil, "after": nil, "after_unknown": map[string]any{}, "before_sensitive": false, "after_sensitive": false},
		}))
	}
	return map[string]any{
		"format_version": "1.2", "collect_version": p.Program, "timestamp": p.Created.Format(time.RFC3339),
		"variables":           map[string]any{},
		"planned_values":      map[string]any{"outputs": outputValues(p), "root_module": map[string]any{"resources": after}},
		"resource_changes":    changes,
		"output_changes":      outputChanges(p),
		"prior_state":         map[string]any{"format_version": "1.0", "values": map[string]any{"root_module": map[string]any{"resources": before}}},
		"configuration":       map[string]any{"root_module": map[string]any{}},
		"applyable":           !p.Empty(),
		"complete":            len(p.Targets)+len(p.Excludes)+len(p.NotRead) == 0,
		"errored":             false,
		"relevant_attributes": []any{},
		"collect": map[string]any{
			"installation": p.Installation, "destroy": p.Destroy, "steps": p.Steps, "losses": p.Losses(), "protected": p.Protected,
			"warnings": p.Warnings, "notes": p.Notes, "not_read": p.NotRead, "outside_reads": p.OutsideReads,
		},
	}
}

func wantOf(p *planner.Plan, c *resource.Change) map[string]any {
	if c.After != nil {
		return c.After
	}
	if o := p.Objects[c.Address]; o != nil {
		return o.Want
	}
	return nil
}

// identity is what stands at the head of everything about an object.
func identity(address, kind string, more map[string]any) map[string]any {
	name, key := NameOf(address)
	m := map[string]any{"address": address, "mode": "managed", "type": kind, "name": name, "provider_name": "collect"}
	if key != nil {
		m["index"] = key
	}
	for k, v := range more {
		m[k] = v
	}
	return m
}

func valueJSON(address, kind string, values map[string]any) map[string]any {
	return identity(address, kind, map[string]any{"schema_version": 0, "values": values, "sensitive_values": map[string]any{}})
}

func changeJSON(p *planner.Plan, c *resource.Change) map[string]any {
	change := map[string]any{
		"actions": terraformActions(c.Action), "before": orNil(c.Before), "after": nil,
		"after_unknown": map[string]any{}, "before_sensitive": map[string]any{}, "after_sensitive": map[string]any{},
	}
	if c.Action != resource.Delete && c.Action != resource.Forget {
		change["after"] = orNil(wantOf(p, c))
	}
	if c.Action == resource.Adopt {
		change["importing"] = map[string]any{"id": c.Address}
	}
	m := identity(c.Address, c.Kind, map[string]any{"change": change})
	if reason := reasonOf(p, c); reason != "" {
		if reason == "requested" {
			reason = "replace_by_request"
		}
		m["action_reason"] = reason
	}
	m["collect"] = map[string]any{"action": c.Action, "note": c.Note, "reason": c.Reason, "items": c.Items, "loss": c.Loss}
	return m
}

func orNil(m map[string]any) any {
	if m == nil {
		return nil
	}
	return m
}

// terraformActions gives the list of actions in the order of work.
func terraformActions(a resource.Action) []string {
	switch a {
	case resource.Create, resource.Update, resource.Delete:
		return []string{string(a)}
	case resource.Replace:
		return []string{"delete", "create"}
	case resource.Start:
		return []string{"update"}
	case resource.Forget:
		return []string{"forget"}
	}
	return []string{"no-op"}
}

func outputValues(p *planner.Plan) map[string]any {
	out := map[string]any{}
	for _, o := range p.Outputs {
		if o.Action != resource.Delete {
			out[o.Name] = map[string]any{"sensitive": o.Sensitive, "type": o.Type, "value": o.Value}
		}
	}
	return out
}

func outputChanges(p *planner.Plan) map[string]any {
	out := map[string]any{}
	for _, o := range p.Outputs {
		out[o.Name] = map[string]any{
			"actions": []string{string(o.Action)}, "before": o.Before, "after": o.Value, "after_unknown": false,
			"before_sensitive": o.Sensitive, "after_sensitive": o.Sensitive,
		}
	}
	return out
}

// State gives what is remembered in the shape of Terraform's state JSON.
func State(st *state.State) map[string]any {
	resources := []any{}
	for _, o := range st.Objects {
		m := valueJSON(o.Address, o.Kind, map[string]any{
			"origin": o.Origin, "identity": o.Identity, "revision": o.Revision, "prevent_destroy": o.Protect,
		})
		if len(o.DependsOn) > 0 {
			m["depends_on"] = o.DependsOn
		}
		resources = append(resources, m)
	}
	outputs := map[string]any{}
	for _, o := range st.Outputs {
		outputs[o.Name] = map[string]any{"sensitive": o.Sensitive, "type": o.Type, "value": o.Value}
	}
	return map[string]any{
		"format_version": "1.0", "collect_version": st.Program,
		"values": map[string]any{"outputs": outputs, "root_module": map[string]any{"resources": resources}},
	}
}
