package names

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/ref"
)

// ProviderKey is how a provider is named: by its type and, for others than the default one, its alias.
type ProviderKey struct{ Type, Alias string }

// String gives the name as it is written: kafka, kafka.b.
func (k ProviderKey) String() string {
	if k.Alias == "" {
		return k.Type
	}
	return k.Type + "." + k.Alias
}

// ChooseProvider reads an argument such as provider = kafka.b; without it the default one is meant.
func (ns *Names) ChooseProvider(a *hclsyntax.Attribute, typ string) (ProviderKey, bool) {
	k := ProviderKey{Type: typ}
	if a == nil {
		return k, true
	}
	t, diags := hcl.AbsTraversalForExpr(a.Expr)
	if !diags.HasErrors() && len(t) <= 2 {
		k.Type = t.RootName()
		if len(t) == 2 {
			k.Alias, _ = ref.StepName(t[1])
		}
		if len(t) == 1 || k.Alias != "" {
			return k, true
		}
	}
	ns.Fail(a.Expr.Range(), "Wrong reference", "A provider is named by its type and alias, such as %s or %s.ALIAS.", typ, typ)
	return k, false
}
