package variable

import (
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/ref"
	"collect/hclspec/internal/sorted"
)

// validate checks the rules of the variable's validation blocks.
func (v *Variable) validate(vs *Set) bool {
	ok := true
	for _, b := range v.block.Body.Blocks {
		if b.Type == "validation" && !v.validation(vs, b) {
			ok = false
		}
	}
	return ok
}

func (v *Variable) validation(vs *Set, b *hclsyntax.Block) bool {
	cond, msg := b.Body.Attributes["condition"], b.Body.Attributes["error_message"]
	if len(b.Labels) > 0 {
		vs.Fail(b.LabelRanges[0], "Too many names", "A validation block has no name: write validation { … }.")
		return false
	}
	for _, inner := range b.Body.Blocks {
		vs.Fail(inner.TypeRange, "Unknown block", "A validation has no %q blocks.", inner.Type)
	}
	for _, name := range sorted.Keys(b.Body.Attributes) {
		if name != "condition" && name != "error_message" {
			vs.Fail(b.Body.Attributes[name].NameRange, "Unknown argument", "A validation has no argument %q.%s", name, diag.DidYouMean(name, []string{"condition", "error_message"}, "%q"))
		}
	}
	if cond == nil || msg == nil {
		vs.Fail(b.DefRange(), "Missing argument", "A validation needs condition and error_message.")
		return false
	}
	res, ok := vs.eval(cond.Expr)
	if !ok {
		return false
	}
	res, _ = res.UnmarkDeep()
	res, err := convert.Convert(res, cty.Bool)
	if err != nil || res.IsNull() {
		vs.Fail(cond.Expr.Range(), "Wrong type", "A condition must be true or false.")
		return false
	}
	if !res.IsKnown() || res.True() {
		return true
	}
	text, ok := vs.eval(msg.Expr)
	if !ok {
		return false
	}
	secret := ref.IsSecret(text)
	text, _ = text.UnmarkDeep()
	text, err = convert.Convert(text, cty.String)
	if err != nil || text.IsNull() || !text.IsKnown() {
		vs.Fail(msg.Expr.Range(), "Wrong type", "An error_message must be text.")
		return false
	}
	at := v.block.DefRange()
	from := ""
	if v.given != nil {
		at, from = v.given.at, " The value is from "+v.given.from+"."
	}
	c := cond.Expr.Range()
	why := text.AsString()
	if secret {
		why = "Its error_message holds a secret and is not shown."
	}
	if !strings.HasSuffix(why, ".") && !strings.HasSuffix(why, "!") && !strings.HasSuffix(why, "?") {
		why += "."
	}
	vs.Fail(at, "Invalid value for a variable", "%s%s This was checked by the validation at %s:%d.", why, from, c.Filename, c.Start.Line)
	return false
}
