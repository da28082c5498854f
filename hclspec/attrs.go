package hclspec

import (
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"collect/hclspec/expr"
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
	unknown bool // something is not known (only with Partial)
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
	plain   bool     // secrets and references have no place here
	args    []string // arguments that the caller reads itself
	inner   []string // blocks that the caller reads itself
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
	d.l.fail(at.NameRange, "Unknown argument", "%s has no argument %q.%s", d.name(), at.Name, didYouMean(at.Name, append(attrs, blocks...), "%q"))
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
	inner.args, inner.inner = nil, nil
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
		d.l.fail(b.typeAt, "Argument written as a block", "%q is an argument: write %s = { … }.", b.typ, b.typ)
		return
	}
	d.l.fail(b.typeAt, "Unknown block", "%s has no block %q.%s", d.name(), b.typ, didYouMean(b.typ, append(blocks, attrs...), "%q"))
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
	v, ok := d.l.eval(at.Expr, d.sc)
	if !ok {
		d.broken = true
		return nil, false
	}
	out, ok := d.convert(a, v, at.Expr)
	return out, ok
}

// wrong reports a value that does not fit its argument.
func (d *decoding) wrong(a *schema.Attr, at hcl.Range, want string, got cty.Value) (any, bool) {
	d.broken = true
	d.l.fail(at, "Wrong type", "%q must be %s, not %s.", a.Name, want, describe(got))
	return nil, false
}

// convert gives the canonical form of a value.
func (d *decoding) convert(a *schema.Attr, v cty.Value, e hclsyntax.Expression) (any, bool) {
	at := e.Range()
	if isSecret(v) && !d.secretAllowed(a) {
		d.broken = true
		d.l.secretHere(at, quote(a.Name))
		return nil, false
	}
	if !v.IsWhollyKnown() {
		d.unknown, d.l.cfg.Incomplete = true, true
		if d.owner != nil {
			d.owner.unknown = true
		}
		return nil, false
	}
	if v.IsNull() {
		return nil, false
	}
	path := join(d.path, a.Name)
	switch a.Type {
	case schema.Reference:
		return d.reference(a, v, at)
	case schema.References:
		return d.references(a, v, e)
	case schema.StringList:
		return d.list(a, v, path, at)
	case schema.StringMap:
		return d.mapping(a, v, path, at)
	}
	v, marks := v.Unmark()
	_, secret := marks[expr.Sensitive]
	if r, ok := refOf(v); ok {
		d.broken = true
		hint := ""
		if r.Kind == schema.Topic {
			hint = " Its name is " + r.Local + ".name."
		}
		d.l.fail(at, "Reference used as a value", "%q takes a value; %s is a reference.%s", a.Name, r.Local, hint)
		return nil, false
	}
	return d.scalar(a, v, secret, path, at)
}

// secretAllowed says whether a secret may stand in an argument: in texts that no address, name or place is made of.
func (d *decoding) secretAllowed(a *schema.Attr) bool {
	if d.plain || a.Path || a.Event || len(a.Enum) > 0 {
		return false
	}
	if d.about != nil && (a.Name == d.about.Listen || a.Name == d.about.Files) {
		return false
	}
	switch a.Name {
	case "listen", "address", "name", "topics":
		return false
	}
	return a.Type == schema.String || a.Type == schema.StringMap || a.Type == schema.StringList
}

func (d *decoding) scalar(a *schema.Attr, v cty.Value, secret bool, path string, at hcl.Range) (any, bool) {
	switch a.Type {
	case schema.Bool:
		b, err := convert.Convert(v, cty.Bool)
		if err != nil {
			return d.wrong(a, at, "true or false", v)
		}
		return b.True(), true
	case schema.Int, schema.Float:
		return d.number(a, v, at)
	case schema.Duration, schema.Size:
		return d.unit(a, v, at)
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return d.wrong(a, at, "text", v)
	}
	return d.text(a, s.AsString(), secret, path, at)
}

func (d *decoding) number(a *schema.Attr, v cty.Value, at hcl.Range) (any, bool) {
	n, err := convert.Convert(v, cty.Number)
	if err != nil {
		return d.wrong(a, at, "a number", v)
	}
	f, _ := n.AsBigFloat().Float64()
	if a.Type == schema.Int && (f != float64(int64(f)) || f > 1<<53 || f < -1<<53) {
		d.broken = true
		d.l.fail(at, "Wrong type", "%q must be a whole number.", a.Name)
		return nil, false
	}
	return f, true
}

// unit reads durations and sizes: texts with a unit, or bare numbers of seconds or bytes.
func (d *decoding) unit(a *schema.Attr, v cty.Value, at hcl.Range) (any, bool) {
	want := `a duration such as "5s" or "10m"`
	if a.Type == schema.Size {
		want = `a size such as "64MiB"`
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil || v.Type() == cty.Bool {
		return d.wrong(a, at, want, v)
	}
	if a.Type == schema.Size {
		n, err := schema.ParseSize(s.AsString())
		if err != nil {
			d.broken = true
			d.l.fail(at, "Invalid size", "%s.", sentence(err))
			return nil, false
		}
		return schema.FormatSize(n), true
	}
	n, err := schema.ParseDuration(s.AsString())
	if err != nil {
		d.broken = true
		d.l.fail(at, "Invalid duration", "%s.", sentence(err))
		return nil, false
	}
	return schema.FormatDuration(n), true
}

// text gives one text: checked against the allowed ones, resolved when it is a path, put away when it is a secret.
func (d *decoding) text(a *schema.Attr, s string, secret bool, path string, at hcl.Range) (any, bool) {
	if len(a.Enum) > 0 && !contains(a.Enum, s) {
		d.broken = true
		d.l.fail(at, "Unknown value", "%q cannot be %q.%s", a.Name, s, didYouMean(s, a.Enum, "%q"))
		return nil, false
	}
	if a.Path {
		s = d.l.resolvePath(s)
	}
	if (secret || a.Secret) && d.owner != nil && s != "" {
		return d.l.secret(d.owner.secrets, path, s), true
	}
	return s, true
}

// secret puts a secret value away and gives what stands in its place.
func (l *loader) secret(into schema.Secrets, name, value string) any {
	into[name] = value
	fp := ""
	if l.opts.Fingerprint != nil {
		fp = l.opts.Fingerprint(value)
	}
	return map[string]any{"secret": name, "fp": fp}
}

// resolvePath makes a file name absolute: it is meant from the configuration's directory, wherever an agent runs.
func (l *loader) resolvePath(s string) string {
	if s == "" || strings.Contains(s, "://") || filepath.IsAbs(s) {
		return s
	}
	return filepath.Join(l.cfg.Root, s)
}

func (d *decoding) list(a *schema.Attr, v cty.Value, path string, at hcl.Range) (any, bool) {
	secret := isSecret(v)
	v, _ = v.UnmarkDeep()
	t := v.Type()
	if !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		want := "a list of texts"
		if t == cty.String {
			want = `a list of texts, such as ["…"]`
		}
		return d.wrong(a, at, want, v)
	}
	out := []any{}
	for it := v.ElementIterator(); it.Next(); {
		i, x := it.Element()
		if r, ok := refOf(x); ok && r.Kind == schema.Topic && a.Ref == schema.Topic {
			d.uses = append(d.uses, use{a.Name, r, at})
			out = append(out, r.Attrs["name"])
			continue
		}
		s, err := convert.Convert(x, cty.String)
		if err != nil || s.IsNull() {
			return d.wrong(a, at, "a list of texts", x)
		}
		if t.IsSetType() {
			i = cty.NumberIntVal(int64(len(out)))
		}
		one, ok := d.text(a, s.AsString(), secret, path+keyText(i), at)
		if !ok {
			return nil, false
		}
		out = append(out, one)
	}
	return out, true
}

func (d *decoding) mapping(a *schema.Attr, v cty.Value, path string, at hcl.Range) (any, bool) {
	whole := v.IsMarked() && isSecret(v)
	v, _ = v.Unmark()
	if t := v.Type(); !t.IsMapType() && !t.IsObjectType() {
		return d.wrong(a, at, "a map of texts", v)
	}
	out := map[string]any{}
	for it := v.ElementIterator(); it.Next(); {
		k, x := it.Element()
		secret := whole || isSecret(x)
		x, _ = x.UnmarkDeep()
		s, err := convert.Convert(x, cty.String)
		if err != nil {
			return d.wrong(a, at, "a map of texts", x)
		}
		if s.IsNull() {
			continue
		}
		key := k.AsString()
		one, ok := d.text(a, s.AsString(), secret, path+"."+key, at)
		if !ok {
			return nil, false
		}
		out[key] = one
	}
	return out, true
}
