package expr

import (
	"testing"

	"github.com/zclconf/go-cty/cty"
)

func TestUnknownConstantsLeaveTheExpressionAsItIs(t *testing.T) {
	t.Parallel()
	ctx := testContext()
	ctx.Variables["later"] = cty.DynamicVal
	for _, src := range []string{`event.body == later.x[0]`, `"${later}/${event.body}"`, `lookup(later, event.body, "")`, `later ? event.body : "x"`, `contains(later, event.body) && event.headers.x == later`} {
		r, diags := Residual(parse(t, src), []byte(src), ctx, TypeAny)
		if diags.HasErrors() || r.Src != src {
			t.Errorf("%s: got %q, %v", src, r.Src, diags)
		}
	}
	src := `event.bdy == later`
	if _, diags := Residual(parse(t, src), []byte(src), ctx, TypeAny); !diags.HasErrors() {
		t.Error("a misspelled path is accepted while a constant is unknown")
	}
}
