package names

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/ref"
	"collect/hclspec/internal/sorted"
)

// Contents is the inside of a block after its dynamic blocks are expanded.
type Contents struct {
	Attrs  map[string]*hclsyntax.Attribute
	Blocks []*Block
	Scope  *Scope
	At     hcl.Range // the block's header
	Open   bool      // it holds more blocks, which are not known (only with Partial)
}

// Block is one inner block with the names that are visible in it.
type Block struct {
	Type     string
	Labels   []string
	Body     *hclsyntax.Body
	Scope    *Scope
	At       hcl.Range // the header
	TypeAt   hcl.Range
	LabelsAt []hcl.Range
}

// Contents expands the dynamic blocks of a body, one level deep: inner ones follow when their block is looked at.
func (ns *Names) Contents(body *hclsyntax.Body, sc *Scope) *Contents {
	c := &Contents{Attrs: body.Attributes, Scope: sc, At: body.MissingItemRange()}
	for _, b := range body.Blocks {
		if b.Type == "dynamic" {
			ns.expandDynamic(c, b, sc)
			continue
		}
		c.Blocks = append(c.Blocks, &Block{b.Type, b.Labels, b.Body, sc, b.DefRange(), b.TypeRange, b.LabelRanges})
	}
	return c
}

// Open gives the contents of an inner block.
func (ns *Names) Open(b *Block) *Contents {
	c := ns.Contents(b.Body, b.Scope)
	c.At = b.At
	return c
}

var dynamicArgs = []string{"for_each", "iterator", "labels"}

func (ns *Names) expandDynamic(c *Contents, b *hclsyntax.Block, sc *Scope) {
	if len(b.Labels) != 1 {
		ns.Fail(b.DefRange(), "Missing name", "A dynamic block names the block it makes: dynamic \"TYPE\" { for_each = …  content { … } }, each on its own line.")
		return
	}
	var content *hclsyntax.Block
	for _, inner := range b.Body.Blocks {
		if inner.Type != "content" || content != nil {
			ns.Fail(inner.TypeRange, "Unknown block", "A dynamic block holds one block, content.")
			return
		}
		content = inner
	}
	each := b.Body.Attributes["for_each"]
	if content == nil || each == nil {
		ns.Fail(b.DefRange(), "Missing argument", "A dynamic block needs for_each and a content block.")
		return
	}
	for _, name := range sorted.Keys(b.Body.Attributes) {
		if !slices.Contains(dynamicArgs, name) {
			ns.Fail(b.Body.Attributes[name].NameRange, "Unknown argument", "A dynamic block has no argument %q.%s", name, diag.DidYouMean(name, dynamicArgs, "%q"))
			return
		}
	}
	name, implicit, ok := ns.iteratorName(b)
	if !ok {
		return
	}
	elements, known := ns.elements(each.Expr, sc, "for_each of a dynamic block")
	c.Open = c.Open || !known
	for _, kv := range elements {
		if !ns.Room(each.Expr.Range()) {
			return
		}
		it := iterator{cty.ObjectVal(map[string]cty.Value{"key": kv[0], "value": kv[1]}), implicit}
		inner := sc.with(name, it)
		labels, ok := ns.dynamicLabels(b.Body.Attributes["labels"], inner)
		if !ok {
			c.Open = c.Open || ns.Partial
			return
		}
		labAt := make([]hcl.Range, len(labels))
		for i := range labAt {
			labAt[i] = b.Body.Attributes["labels"].Expr.Range()
		}
		c.Blocks = append(c.Blocks, &Block{b.Labels[0], labels, content.Body, inner, b.DefRange(), b.LabelRanges[0], labAt})
	}
}

// iteratorName gives the name under which the content sees the element.
func (ns *Names) iteratorName(b *hclsyntax.Block) (name string, implicit, ok bool) {
	a := b.Body.Attributes["iterator"]
	if a == nil {
		return b.Labels[0], true, true
	}
	name = hcl.ExprAsKeyword(a.Expr)
	switch name {
	case "":
		ns.Fail(a.Expr.Range(), "Invalid iterator", "An iterator is a name without quotes: iterator = it.")
		return "", false, false
	case "var", "local", "path", "each", "count", "topic", "agent", "event", "source", "channel", "sink", "sink_group":
		ns.Fail(a.Expr.Range(), "Iterator hides a name", "%q has a meaning of its own here. Choose another name: iterator = it.", name)
		return "", false, false
	}
	return name, false, true
}

func (ns *Names) dynamicLabels(a *hclsyntax.Attribute, sc *Scope) ([]string, bool) {
	if a == nil {
		return nil, true
	}
	v, ok := ns.Eval(a.Expr, sc)
	if !ok {
		return nil, false
	}
	if ref.IsSecret(v) {
		ns.SecretHere(a.Expr.Range(), "labels")
		return nil, false
	}
	if !v.IsWhollyKnown() {
		ns.Incomplete = true
		return nil, false
	}
	list, err := ref.StringList(v)
	if err != nil {
		ns.Fail(a.Expr.Range(), "Wrong type", "labels is a list of texts: %s.", diag.Sentence(err))
		return nil, false
	}
	return list, true
}

// elements evaluates what is repeated over, to pairs of key and value. What cannot be repeated over is reported. Not known:
// nothing can be said of how many there are.
func (ns *Names) elements(e hclsyntax.Expression, sc *Scope, what string) (list [][2]cty.Value, known bool) {
	v, ok := ns.Eval(e, sc)
	if !ok {
		return nil, true
	}
	if v.IsMarked() && ref.IsSecret(v) {
		ns.SecretHere(e.Range(), what)
		return nil, true
	}
	v, _ = v.Unmark()
	if !v.IsKnown() {
		ns.Incomplete = true
		return nil, false
	}
	if v.IsNull() || !v.CanIterateElements() {
		ns.Fail(e.Range(), "Wrong type", "The %s must be a list, a set, a map or an object, not %s.", what, ref.Describe(v))
		return nil, true
	}
	set := v.Type().IsSetType()
	for it := v.ElementIterator(); it.Next(); {
		k, x := it.Element()
		if set {
			k = x
		}
		if ref.IsSecret(k) {
			ns.SecretHere(e.Range(), what)
			return nil, true
		}
		list = append(list, [2]cty.Value{k, x})
	}
	return list, true
}

// SecretHere reports a secret where none may be.
func (ns *Names) SecretHere(at hcl.Range, what string) {
	ns.Fail(at, "Secret not allowed here", "A secret cannot be used in %s, which is shown in plans and addresses. If the value is none, write nonsensitive(…).", what)
}
