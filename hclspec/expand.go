package hclspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/diag"
)

// contents is the inside of a block after its dynamic blocks are expanded.
type contents struct {
	attrs  map[string]*hclsyntax.Attribute
	blocks []*block
	sc     *scope
	at     hcl.Range // the block's header
	open   bool      // it holds more blocks, which are not known (only with Partial)
}

// block is one inner block with the names that are visible in it.
type block struct {
	typ    string
	labels []string
	body   *hclsyntax.Body
	sc     *scope
	at     hcl.Range // the header
	typeAt hcl.Range
	labAt  []hcl.Range
}

// contents expands the dynamic blocks of a body, one level deep: inner ones follow when their block is looked at.
func (l *loader) contents(body *hclsyntax.Body, sc *scope) *contents {
	c := &contents{attrs: body.Attributes, sc: sc, at: body.MissingItemRange()}
	for _, b := range body.Blocks {
		if b.Type == "dynamic" {
			l.expandDynamic(c, b, sc)
			continue
		}
		c.blocks = append(c.blocks, &block{b.Type, b.Labels, b.Body, sc, b.DefRange(), b.TypeRange, b.LabelRanges})
	}
	return c
}

// open gives the contents of an inner block.
func (l *loader) open(b *block) *contents {
	c := l.contents(b.body, b.sc)
	c.at = b.at
	return c
}

var dynamicArgs = []string{"for_each", "iterator", "labels"}

func (l *loader) expandDynamic(c *contents, b *hclsyntax.Block, sc *scope) {
	if len(b.Labels) != 1 {
		l.fail(b.DefRange(), "Missing name", "A dynamic block names the block it makes: dynamic \"TYPE\" { for_each = …  content { … } }, each on its own line.")
		return
	}
	var content *hclsyntax.Block
	for _, inner := range b.Body.Blocks {
		if inner.Type != "content" || content != nil {
			l.fail(inner.TypeRange, "Unknown block", "A dynamic block holds one block, content.")
			return
		}
		content = inner
	}
	each := b.Body.Attributes["for_each"]
	if content == nil || each == nil {
		l.fail(b.DefRange(), "Missing argument", "A dynamic block needs for_each and a content block.")
		return
	}
	for _, name := range sortedKeys(b.Body.Attributes) {
		if !contains(dynamicArgs, name) {
			l.fail(b.Body.Attributes[name].NameRange, "Unknown argument", "A dynamic block has no argument %q.%s", name, diag.DidYouMean(name, dynamicArgs, "%q"))
			return
		}
	}
	name, implicit, ok := l.iteratorName(b)
	if !ok {
		return
	}
	elements, known := l.elements(each.Expr, sc, "for_each of a dynamic block")
	c.open = c.open || !known
	for _, kv := range elements {
		if !l.room(each.Expr.Range()) {
			return
		}
		it := iterator{cty.ObjectVal(map[string]cty.Value{"key": kv[0], "value": kv[1]}), implicit}
		inner := sc.with(name, it)
		labels, ok := l.dynamicLabels(b.Body.Attributes["labels"], inner)
		if !ok {
			c.open = c.open || l.opts.Partial
			return
		}
		labAt := make([]hcl.Range, len(labels))
		for i := range labAt {
			labAt[i] = b.Body.Attributes["labels"].Expr.Range()
		}
		c.blocks = append(c.blocks, &block{b.Labels[0], labels, content.Body, inner, b.DefRange(), b.LabelRanges[0], labAt})
	}
}

// iteratorName gives the name under which the content sees the element.
func (l *loader) iteratorName(b *hclsyntax.Block) (name string, implicit, ok bool) {
	a := b.Body.Attributes["iterator"]
	if a == nil {
		return b.Labels[0], true, true
	}
	name = hcl.ExprAsKeyword(a.Expr)
	switch name {
	case "":
		l.fail(a.Expr.Range(), "Invalid iterator", "An iterator is a name without quotes: iterator = it.")
		return "", false, false
	case "var", "local", "path", "each", "count", "topic", "agent", "event", "source", "channel", "sink", "sink_group":
		l.fail(a.Expr.Range(), "Iterator hides a name", "%q has a meaning of its own here. Choose another name: iterator = it.", name)
		return "", false, false
	}
	return name, false, true
}

func (l *loader) dynamicLabels(a *hclsyntax.Attribute, sc *scope) ([]string, bool) {
	if a == nil {
		return nil, true
	}
	v, ok := l.eval(a.Expr, sc)
	if !ok {
		return nil, false
	}
	if isSecret(v) {
		l.secretHere(a.Expr.Range(), "labels")
		return nil, false
	}
	if !v.IsWhollyKnown() {
		l.cfg.Incomplete = true
		return nil, false
	}
	list, err := stringList(v)
	if err != nil {
		l.fail(a.Expr.Range(), "Wrong type", "labels is a list of texts: %s.", sentence(err))
		return nil, false
	}
	return list, true
}

// elements evaluates what is repeated over, to pairs of key and value. What cannot be repeated over is reported. Not known:
// nothing can be said of how many there are.
func (l *loader) elements(e hclsyntax.Expression, sc *scope, what string) (list [][2]cty.Value, known bool) {
	v, ok := l.eval(e, sc)
	if !ok {
		return nil, true
	}
	if v.IsMarked() && isSecret(v) {
		l.secretHere(e.Range(), what)
		return nil, true
	}
	v, _ = v.Unmark()
	if !v.IsKnown() {
		l.cfg.Incomplete = true
		return nil, false
	}
	if v.IsNull() || !v.CanIterateElements() {
		l.fail(e.Range(), "Wrong type", "The %s must be a list, a set, a map or an object, not %s.", what, describe(v))
		return nil, true
	}
	set := v.Type().IsSetType()
	for it := v.ElementIterator(); it.Next(); {
		k, x := it.Element()
		if set {
			k = x
		}
		if isSecret(k) {
			l.secretHere(e.Range(), what)
			return nil, true
		}
		list = append(list, [2]cty.Value{k, x})
	}
	return list, true
}

// secretHere reports a secret where none may be.
func (l *loader) secretHere(at hcl.Range, what string) {
	l.fail(at, "Secret not allowed here", "A secret cannot be used in %s, which is shown in plans and addresses. If the value is none, write nonsensitive(…).", what)
}

// describe names a value for messages.
func describe(v cty.Value) string {
	switch t := v.Type(); {
	case v.IsNull():
		return "null"
	case t.Equals(refType):
		r, _ := refOf(v)
		if r == nil {
			return "a reference"
		}
		return "the reference " + r.Local
	case t == cty.String:
		return "text"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return "a list"
	case t.IsObjectType() || t.IsMapType():
		if r, ok := refOf(v); ok {
			return "the reference " + r.Local
		}
		return "a map"
	default:
		return t.FriendlyName()
	}
}
