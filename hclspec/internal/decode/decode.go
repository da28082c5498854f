package decode

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/names"
	"collect/hclspec/internal/ref"
	"collect/hclspec/internal/sorted"
	"collect/hclspec/schema"
)

// Part is one schema among those that a body's arguments belong to: a component's own, or what all of its kind have.
type Part struct {
	Block *schema.Block
}

// Owner collects what decoding an agent or a topic brings besides the Config.
type Owner struct {
	Secrets schema.Secrets
	Ranges  map[string]hcl.Range
}

// NewOwner gives an owner of nothing yet.
func NewOwner() *Owner {
	return &Owner{Secrets: schema.Secrets{}, Ranges: map[string]hcl.Range{}}
}

// Decoding turns the body of one block into Configs. Whoever makes it says what the block is; what was found on the way stands in
// Uses, Unknown and Broken afterwards.
type Decoding struct {
	*Decoder
	Scope   *names.Scope
	Owner   *Owner
	Path    string // of the block within its owner: "sink.stream"
	What    string // the block, for messages: sink "kafka"
	About   *schema.About
	Plain   bool                 // secrets and references have no place here
	Args    []string             // arguments that the caller reads itself
	Inner   []string             // blocks that the caller reads itself
	Early   map[string]cty.Value // arguments that were evaluated already, since others read them
	Uses    []ref.Use
	Unknown bool // some value is not known
	Broken  bool // some value is wrong
}

// Block decodes the arguments and inner blocks of a body to one Config for each part.
func (d *Decoding) Block(c *names.Contents, parts ...Part) []schema.Config {
	out := make([]schema.Config, len(parts))
	for i := range out {
		out[i] = schema.Config{}
	}
	d.attributes(c, parts, out)
	d.blocks(c, parts, out)
	d.required(c, parts)
	return out
}

func (d *Decoding) attributes(c *names.Contents, parts []Part, out []schema.Config) {
	for _, name := range sorted.Keys(c.Attrs) {
		at := c.Attrs[name]
		if slices.Contains(d.Args, name) {
			continue
		}
		i, a := findAttr(parts, name)
		if a == nil {
			d.unknownArgument(at, parts)
			continue
		}
		d.Mark(name, at.Range())
		if a.Type == schema.ProviderOf {
			continue // chosen when the topics are known
		}
		if v, ok := d.attr(a, at); ok {
			out[i][name] = v
		}
	}
}

// ArgumentsOf gives the names of all arguments and blocks of a block.
func ArgumentsOf(b *schema.Block) []string {
	d := Decoding{}
	attrs, blocks := d.known([]Part{{b}})
	return append(attrs, blocks...)
}

func findAttr(parts []Part, name string) (int, *schema.Attr) {
	for i, p := range parts {
		if a, ok := p.Block.Attr(name); ok {
			return i, a
		}
	}
	return 0, nil
}

func findNested(parts []Part, name string) (int, *schema.Nested) {
	for i, p := range parts {
		if n, ok := p.Block.Nested(name); ok {
			return i, n
		}
	}
	return 0, nil
}

func (d *Decoding) known(parts []Part) (attrs, blocks []string) {
	attrs, blocks = append(attrs, d.Args...), append(blocks, d.Inner...)
	for _, p := range parts {
		for i := range p.Block.Attrs {
			attrs = append(attrs, p.Block.Attrs[i].Name)
		}
		for i := range p.Block.Blocks {
			blocks = append(blocks, p.Block.Blocks[i].Name)
		}
	}
	return attrs, blocks
}

func (d *Decoding) unknownArgument(at *hclsyntax.Attribute, parts []Part) {
	d.Broken = true
	attrs, blocks := d.known(parts)
	if slices.Contains(blocks, at.Name) {
		d.Fail(at.NameRange, "Block written as an argument", "%q is a block: write %s { … } without \"=\".", at.Name, at.Name)
		return
	}
	d.Fail(at.NameRange, "Unknown argument", "%s has no argument %q.%s", d.name(), at.Name, diag.DidYouMean(at.Name, append(attrs, blocks...), "%q"))
}

func (d *Decoding) name() string {
	if d.What != "" {
		return "The " + d.What
	}
	return "This block"
}

func (d *Decoding) blocks(c *names.Contents, parts []Part, out []schema.Config) {
	first := map[string]*names.Block{}
	for _, b := range c.Blocks {
		if slices.Contains(d.Inner, b.Type) {
			continue
		}
		i, n := findNested(parts, b.Type)
		if n == nil {
			d.unknownBlock(b, parts)
			continue
		}
		if len(b.Labels) > 0 {
			d.Broken = true
			d.Fail(b.LabelsAt[0], "Too many names", "A %s block has no name: write %s { … }.", b.Type, b.Type)
			continue
		}
		if old := first[b.Type]; old != nil && !n.Multiple {
			d.Broken = true
			d.Fail(b.At, "Declared twice", "There is one %s block already, at %s:%d.", b.Type, old.At.Filename, old.At.Start.Line)
			continue
		}
		first[b.Type] = b
		d.nested(b, n, out[i])
	}
}

func (d *Decoding) nested(b *names.Block, n *schema.Nested, out schema.Config) {
	inner := *d
	inner.Path, inner.What, inner.Scope = join(d.Path, b.Type), b.Type+" block", b.Scope
	inner.Args, inner.Inner, inner.Early = nil, nil, nil
	if n.Multiple {
		list, _ := out[b.Type].([]any)
		inner.Path += ref.KeyText(cty.NumberIntVal(int64(len(list))))
	}
	d.Mark(strings.TrimPrefix(inner.Path, d.Path+"."), b.At)
	cfg := inner.Block(d.Open(b), Part{n.Block})
	d.Uses, d.Unknown, d.Broken = inner.Uses, inner.Unknown, inner.Broken
	m := map[string]any(cfg[0])
	if n.Multiple {
		list, _ := out[b.Type].([]any)
		out[b.Type] = append(list, m)
		return
	}
	out[b.Type] = m
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// Mark remembers the place of an argument or block.
func (d *Decoding) Mark(name string, r hcl.Range) {
	if d.Owner != nil {
		d.Owner.Ranges[join(d.Path, name)] = r
	}
}

func (d *Decoding) unknownBlock(b *names.Block, parts []Part) {
	d.Broken = true
	attrs, blocks := d.known(parts)
	if slices.Contains(attrs, b.Type) {
		d.Fail(b.TypeAt, "Argument written as a block", "%q is an argument: write %s = ….", b.Type, b.Type)
		return
	}
	if _, top := TopBlocks[b.Type]; top {
		d.Fail(b.TypeAt, "Block inside of a block", "Blocks of type %q stand at the top of a file.", b.Type)
		return
	}
	d.Fail(b.TypeAt, "Unknown block", "%s has no block %q.%s", d.name(), b.Type, diag.DidYouMean(b.Type, append(blocks, attrs...), "%q"))
}

func (d *Decoding) required(c *names.Contents, parts []Part) {
	asBlock := map[string]bool{} // which is reported already
	for _, b := range c.Blocks {
		asBlock[b.Type] = true
	}
	for _, p := range parts {
		for i := range p.Block.Attrs {
			a := &p.Block.Attrs[i]
			if a.Required && c.Attrs[a.Name] == nil && !asBlock[a.Name] && !slices.Contains(d.Args, a.Name) {
				d.Broken = true
				d.Fail(c.At, "Missing argument", "%s needs %q: %s", d.name(), a.Name, a.Doc)
			}
		}
	}
}

// attr evaluates one argument. Not ok: not given, not known, or wrong and reported.
func (d *Decoding) attr(a *schema.Attr, at *hclsyntax.Attribute) (any, bool) {
	if a.Type == schema.ExprMap {
		return d.exprMap(a, at)
	}
	if a.Event {
		return d.expr(a, at.Expr, join(d.Path, a.Name))
	}
	v, ok := d.Early[a.Name]
	if !ok {
		v, ok = d.Eval(at.Expr, d.Scope)
	}
	if !ok {
		d.Broken = true
		return nil, false
	}
	return d.convert(a, v, at.Expr)
}

// wrong reports a value that does not fit its argument.
func (d *Decoding) wrong(a *schema.Attr, at hcl.Range, want string, got cty.Value) (any, bool) {
	d.Broken = true
	d.Fail(at, "Wrong type", "%q must be %s, not %s.", a.Name, want, ref.Describe(got))
	return nil, false
}
