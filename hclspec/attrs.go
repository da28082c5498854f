package hclspec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/diag"
	"collect/hclspec/schema"
)

// part is one schema among those that a body's arguments belong to: a component's own, or what all of its kind have.
type part struct {
	block *schema.Block
}

// owner collects what decoding an agent or a topic brings besides the Config.
type owner struct {
	secrets schema.Secrets
	ranges  map[string]hcl.Range
}

func newOwner() *owner {
	return &owner{secrets: schema.Secrets{}, ranges: map[string]hcl.Range{}}
}

// use is one reference that an argument holds.
type use struct {
	attr string
	ref  *ref
	at   hcl.Range
}

// decoding turns the body of one block into Configs.
type decoding struct {
	l       *loader
	sc      *scope
	owner   *owner
	path    string // of the block within its owner: "sink.stream"
	what    string // the block, for messages: sink "kafka"
	about   *schema.About
	plain   bool                 // secrets and references have no place here
	args    []string             // arguments that the caller reads itself
	inner   []string             // blocks that the caller reads itself
	early   map[string]cty.Value // arguments that were evaluated already, since others read them
	uses    []use
	unknown bool // some value is not known
	broken  bool // some value is wrong
}

// block decodes the arguments and inner blocks of a body to one Config for each part.
func (d *decoding) block(c *contents, parts ...part) []schema.Config {
	out := make([]schema.Config, len(parts))
	for i := range out {
		out[i] = schema.Config{}
	}
	d.attributes(c, parts, out)
	d.blocks(c, parts, out)
	d.required(c, parts)
	return out
}

func (d *decoding) attributes(c *contents, parts []part, out []schema.Config) {
	for _, name := range sortedKeys(c.attrs) {
		at := c.attrs[name]
		if contains(d.args, name) {
			continue
		}
		i, a := findAttr(parts, name)
		if a == nil {
			d.unknownArgument(at, parts)
			continue
		}
		d.mark(name, at.Range())
		if a.Type == schema.ProviderOf {
			continue // chosen when the topics are known
		}
		if v, ok := d.attr(a, at); ok {
			out[i][name] = v
		}
	}
}

// argumentsOf gives the names of all arguments and blocks of a block.
func argumentsOf(b *schema.Block) []string {
	d := decoding{}
	attrs, blocks := d.known([]part{{b}})
	return append(attrs, blocks...)
}

func findAttr(parts []part, name string) (int, *schema.Attr) {
	for i, p := range parts {
		if a, ok := p.block.Attr(name); ok {
			return i, a
		}
	}
	return 0, nil
}

func findNested(parts []part, name string) (int, *schema.Nested) {
	for i, p := range parts {
		if n, ok := p.block.Nested(name); ok {
			return i, n
		}
	}
	return 0, nil
}

func (d *decoding) known(parts []part) (attrs, blocks []string) {
	attrs, blocks = append(attrs, d.args...), append(blocks, d.inner...)
	for _, p := range parts {
		for i := range p.block.Attrs {
			attrs = append(attrs, p.block.Attrs[i].Name)
		}
		for i := range p.block.Blocks {
			blocks = append(blocks, p.block.Blocks[i].Name)
		}
	}
	return attrs, blocks
}

func (d *decoding) unknownArgument(at *hclsyntax.Attribute, parts []part) {
	d.broken = true
	attrs, blocks := d.known(parts)
	if contains(blocks, at.Name) {
		d.l.fail(at.NameRange, "Block written as an argument", "%q is a block: write %s { … } without \"=\".", at.Name, at.Name)
		return
	}
	d.l.fail(at.NameRange, "Unknown argument", "%s has no argument %q.%s", d.name(), at.Name, diag.DidYouMean(at.Name, append(attrs, blocks...), "%q"))
}

func (d *decoding) name() string {
	if d.what != "" {
		return "The " + d.what
	}
	return "This block"
}

func (d *decoding) blocks(c *contents, parts []part, out []schema.Config) {
	first := map[string]*block{}
	for _, b := range c.blocks {
		if contains(d.inner, b.typ) {
			continue
		}
		i, n := findNested(parts, b.typ)
		if n == nil {
			d.unknownBlock(b, parts)
			continue
		}
		if len(b.labels) > 0 {
			d.broken = true
			d.l.fail(b.labAt[0], "Too many names", "A %s block has no name: write %s { … }.", b.typ, b.typ)
			continue
		}
		if old := first[b.typ]; old != nil && !n.Multiple {
			d.broken = true
			d.l.fail(b.at, "Declared twice", "There is one %s block already, at %s:%d.", b.typ, old.at.Filename, old.at.Start.Line)
			continue
		}
		first[b.typ] = b
		d.nested(b, n, out[i])
	}
}

func (d *decoding) nested(b *block, n *schema.Nested, out schema.Config) {
	inner := *d
	inner.path, inner.what, inner.sc = join(d.path, b.typ), b.typ+" block", b.sc
	inner.args, inner.inner, inner.early = nil, nil, nil
	if n.Multiple {
		list, _ := out[b.typ].([]any)
		inner.path += keyText(cty.NumberIntVal(int64(len(list))))
	}
	d.mark(strings.TrimPrefix(inner.path, d.path+"."), b.at)
	cfg := inner.block(d.l.open(b), part{n.Block})
	d.uses, d.unknown, d.broken = inner.uses, inner.unknown, inner.broken
	m := map[string]any(cfg[0])
	if n.Multiple {
		list, _ := out[b.typ].([]any)
		out[b.typ] = append(list, m)
		return
	}
	out[b.typ] = m
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (d *decoding) mark(name string, r hcl.Range) {
	if d.owner != nil {
		d.owner.ranges[join(d.path, name)] = r
	}
}

func (d *decoding) unknownBlock(b *block, parts []part) {
	d.broken = true
	attrs, blocks := d.known(parts)
	if contains(attrs, b.typ) {
		d.l.fail(b.typeAt, "Argument written as a block", "%q is an argument: write %s = ….", b.typ, b.typ)
		return
	}
	if _, top := topBlocks[b.typ]; top {
		d.l.fail(b.typeAt, "Block inside of a block", "Blocks of type %q stand at the top of a file.", b.typ)
		return
	}
	d.l.fail(b.typeAt, "Unknown block", "%s has no block %q.%s", d.name(), b.typ, diag.DidYouMean(b.typ, append(blocks, attrs...), "%q"))
}

func (d *decoding) required(c *contents, parts []part) {
	asBlock := map[string]bool{} // which is reported already
	for _, b := range c.blocks {
		asBlock[b.typ] = true
	}
	for _, p := range parts {
		for i := range p.block.Attrs {
			a := &p.block.Attrs[i]
			if a.Required && c.attrs[a.Name] == nil && !asBlock[a.Name] && !contains(d.args, a.Name) {
				d.broken = true
				d.l.fail(c.at, "Missing argument", "%s needs %q: %s", d.name(), a.Name, a.Doc)
			}
		}
	}
}

// attr evaluates one argument. Not ok: not given, not known, or wrong and reported.
func (d *decoding) attr(a *schema.Attr, at *hclsyntax.Attribute) (any, bool) {
	if a.Type == schema.ExprMap {
		return d.exprMap(a, at)
	}
	if a.Event {
		return d.expr(a, at.Expr, join(d.path, a.Name))
	}
	v, ok := d.early[a.Name]
	if !ok {
		v, ok = d.l.eval(at.Expr, d.sc)
	}
	if !ok {
		d.broken = true
		return nil, false
	}
	return d.convert(a, v, at.Expr)
}

// wrong reports a value that does not fit its argument.
func (d *decoding) wrong(a *schema.Attr, at hcl.Range, want string, got cty.Value) (any, bool) {
	d.broken = true
	d.l.fail(at, "Wrong type", "%q must be %s, not %s.", a.Name, want, describe(got))
	return nil, false
}
