package ref

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// MaxName is how many characters a name may have.
const MaxName = 100

// ValidName says whether a name can be written in a reference.
func ValidName(s string) bool {
	if s == "" || len(s) > MaxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return true
}

// StepName gives the name in a step such as .x or ["x"].
func StepName(t hcl.Traverser) (string, bool) {
	switch s := t.(type) {
	case hcl.TraverseAttr:
		return s.Name, true
	case hcl.TraverseIndex:
		if s.Key.Type() == cty.String {
			return s.Key.AsString(), true
		}
	}
	return "", false
}

// KeyText gives an instance key as it stands in an address.
func KeyText(k cty.Value) string {
	if k.Type() == cty.String && k.IsKnown() && !k.IsNull() {
		return fmt.Sprintf("[%q]", k.AsString())
	}
	if k.Type() == cty.Number && k.IsKnown() && !k.IsNull() {
		return "[" + k.AsBigFloat().Text('f', -1) + "]"
	}
	return "[…]"
}

// TraversalText gives a reference as it is written.
func TraversalText(t hcl.Traversal) string {
	var b strings.Builder
	for _, s := range t {
		switch s := s.(type) {
		case hcl.TraverseRoot:
			b.WriteString(s.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + s.Name)
		case hcl.TraverseIndex:
			b.WriteString(KeyText(s.Key))
		}
	}
	return b.String()
}

// PlainType names a type for messages.
func PlainType(t cty.Type) string {
	switch t {
	case cty.String:
		return "text"
	case cty.Number:
		return "a number"
	case cty.Bool:
		return "true or false"
	}
	return t.FriendlyName()
}
