// Package ref is references as values: what channel.c, topic.t and the like evaluate to, where they are found in other values, and how
// they and the values beside them are called in messages.
package ref

import (
	"reflect"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/functions"
	"collect/hclspec/schema"
)

// Ref is what channel.x, topic.y and the like evaluate to. There is one ref for each object, so equality of pointers is
// equality of references.
type Ref struct {
	Kind  schema.Kind
	Addr  string // the whole address: agent.a.channel.c
	Local string // as seen from inside the agent: channel.c
	Type  string // of a source: its component type
	Attrs map[string]string
	Range hcl.Range
	Agent string // of a source: the address of its agent
	Known bool   // of a source: its component type exists
}

// Type is the one type of all references: so they survive conditionals, for and lists.
var Type = cty.Capsule("reference", reflect.TypeFor[Ref]())

// Attr is the attribute that holds the reference in objects that have other attributes too.
const Attr = "_ref"

// Value gives the reference as a value.
func (r *Ref) Value() cty.Value { return cty.CapsuleVal(Type, r) }

// Of finds the reference in a value: a bare one, or an object such as a topic.
func Of(v cty.Value) (*Ref, bool) {
	if v.IsMarked() {
		v, _ = v.Unmark()
	}
	if !v.IsKnown() || v.IsNull() {
		return nil, false
	}
	t := v.Type()
	if t.IsObjectType() && t.HasAttribute(Attr) {
		v, t = v.GetAttr(Attr), Type
		if !v.IsKnown() || v.IsNull() {
			return nil, false
		}
	}
	if !t.Equals(Type) {
		return nil, false
	}
	return v.EncapsulatedValue().(*Ref), true
}

// IsSecret says whether a secret is in the value.
func IsSecret(v cty.Value) bool {
	if v.HasMark(functions.Sensitive) {
		return true
	}
	if !v.ContainsMarked() {
		return false
	}
	_, marks := v.UnmarkDeep()
	_, ok := marks[functions.Sensitive]
	return ok
}
