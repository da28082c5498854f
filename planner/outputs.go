package planner

import (
	"context"
	"encoding/json"

	ctyjson "github.com/zclconf/go-cty/cty/json"

	"collect/hclspec"
	"collect/planner/resource"
	"collect/planner/state"
)

// outputs compares outputs with those of the last apply.
func (b *builder) outputs(context.Context) {
	had := map[string]state.Output{}
	for _, o := range b.st.Outputs {
		had[o.Name] = o
	}
	if !b.opt.Destroy {
		for _, o := range b.cfg.Outputs {
			out, err := outputOf(o)
			if err != nil {
				b.fail("Output cannot be written", "Output %q: %s.", o.Name, err)
				continue
			}
			b.plan.Outputs = append(b.plan.Outputs, compareOutput(out, had))
			delete(had, o.Name)
		}
	}
	for _, o := range b.st.Outputs {
		if _, gone := had[o.Name]; gone {
			b.plan.Outputs = append(b.plan.Outputs, Output{Name: o.Name, Before: o.Value, Type: o.Type, Sensitive: o.Sensitive, Action: resource.Delete})
		}
	}
}

func outputOf(o hclspec.Output) (Output, error) {
	out := Output{Name: o.Name, Sensitive: o.Sensitive, Description: o.Description}
	if o.Sensitive {
		return out, nil
	}
	raw, err := ctyjson.Marshal(o.Value, o.Value.Type())
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(raw, &out.Value); err != nil {
		return out, err
	}
	if raw, err = ctyjson.MarshalType(o.Value.Type()); err != nil {
		return out, err
	}
	return out, json.Unmarshal(raw, &out.Type)
}

func compareOutput(o Output, had map[string]state.Output) Output {
	before, ok := had[o.Name]
	o.Before = before.Value
	switch {
	case !ok:
		o.Action = resource.Create
	case before.Sensitive != o.Sensitive || !equalJSON(before.Value, o.Value):
		o.Action = resource.Update
	default:
		o.Action = resource.NoOp
	}
	return o
}

func equalJSON(a, b any) bool {
	ra, err := json.Marshal(a)
	if err != nil {
		return false
	}
	rb, err := json.Marshal(b)
	return err == nil && string(ra) == string(rb)
}
