// Package constant holds what is done with values that are known when the configuration is planned: to and from the JSON of a spec,
// as HCL text, and the names of their types.
package constant

import (
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"
)

// TypeName names a type as a sentence needs it.
func TypeName(t cty.Type) string {
	switch {
	case t == cty.String:
		return "a text"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "a bool"
	case t.IsListType(), t.IsSetType(), t.IsTupleType():
		return "a list"
	case t.IsMapType(), t.IsObjectType():
		return "an object"
	}
	return t.FriendlyName()
}

// ElementType is the type that all elements have, or any.
func ElementType(t cty.Type) cty.Type {
	var types []cty.Type
	switch {
	case t.IsCollectionType():
		return t.ElementType()
	case t.IsTupleType():
		types = t.TupleElementTypes()
	case t.IsObjectType():
		types = slices.Collect(maps.Values(t.AttributeTypes()))
	}
	for _, e := range types {
		if !e.Equals(types[0]) {
			return cty.DynamicPseudoType
		}
	}
	if len(types) == 0 {
		return cty.DynamicPseudoType
	}
	return types[0]
}
