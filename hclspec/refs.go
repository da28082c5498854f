package hclspec

import (
	"reflect"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/expr"
	"collect/hclspec/schema"
)

// ref is what channel.x, topic.y and the like evaluate to. There is one ref for each object, so equality of pointers is
// equality of references.
type ref struct {
	Kind   schema.Kind
	Addr   string // the whole address: agent.a.channel.c
	Local  string // as seen from inside the agent: channel.c
	Type   string // of a source: its component type
	Attrs  map[string]string
	Range  hcl.Range
	topic  *instance // of a topic
	source *component
}

// refType is the one type of all references: so they survive conditionals, for and lists.
var refType = cty.Capsule("reference", reflect.TypeFor[ref]())

// refAttr is the attribute that holds the reference in objects that have other attributes too.
const refAttr = "_ref"

// value gives the reference as a value.
func (r *ref) value() cty.Value { return cty.CapsuleVal(refType, r) }

// refOf finds the reference in a value: a bare one, or an object such as a topic.
func refOf(v cty.Value) (*ref, bool) {
	if v.IsMarked() {
		v, _ = v.Unmark()
	}
	if !v.IsKnown() || v.IsNull() {
		return nil, false
	}
	t := v.Type()
	if t.IsObjectType() && t.HasAttribute(refAttr) {
		v, t = v.GetAttr(refAttr), refType
		if !v.IsKnown() || v.IsNull() {
			return nil, false
		}
	}
	if !t.Equals(refType) {
		return nil, false
	}
	return v.EncapsulatedValue().(*ref), true
}

// isSecret says whether a secret is in the value.
func isSecret(v cty.Value) bool {
	if v.HasMark(expr.Sensitive) {
		return true
	}
	if !v.ContainsMarked() {
		return false
	}
	_, marks := v.UnmarkDeep()
	_, ok := marks[expr.Sensitive]
	return ok
}
