package hclspec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/topology"
	"collect/hclspec/schema"
)

// component is one source, channel, sink or group of an agent; building fills what the checks of the topology need.
type component struct {
	topology.Component
	b      *block
	inst   *instance
	ref    *ref
	cont   *contents            // after building
	early  map[string]cty.Value // arguments that others have read
	uses   []use
	unsure bool // something about it is not known or wrong
}

// kindsWithType are blocks inside an agent, with their labels.
var componentLabels = map[string][]string{
	"source": {"TYPE", "NAME"}, "channel": {"TYPE", "NAME"}, "sink": {"TYPE", "NAME"}, "sink_group": {"NAME"},
}

// newComponent takes in a block of an agent; not ok: it is none, or its header is wrong and reported.
func (l *loader) newComponent(inst *instance, b *block) (*component, bool) {
	labels, ok := componentLabels[b.typ]
	if !ok || !l.componentLabels(b, labels) {
		return nil, false
	}
	c := &component{b: b, inst: inst}
	c.Kind, c.Name, c.At = schema.Kind(b.typ), b.labels[len(b.labels)-1], b.at
	local := b.typ + "." + c.Name
	c.Addr, c.Local = inst.addr+"."+local, local
	c.ref = &ref{Kind: c.Kind, Addr: c.Addr, Local: c.Local, Range: b.at}
	if c.Kind == schema.Source {
		c.ref.source = c
	}
	if len(labels) == 1 {
		return c, true
	}
	c.Type = b.labels[0]
	c.ref.Type = c.Type
	if def, ok := l.opts.Types.Lookup(c.Kind, c.Type); ok {
		c.Def = def
		return c, true
	}
	l.unknownType(c.Kind, c.Type, b.labAt[0])
	return c, true
}

func (l *loader) unknownType(kind schema.Kind, typ string, at hcl.Range) {
	for _, other := range []schema.Kind{schema.Source, schema.Interceptor, schema.Channel, schema.Sink} {
		if _, ok := l.opts.Types.Lookup(other, typ); ok && other != kind {
			l.fail(at, "Unknown type", "There is no %s of type %q; %q is a type of %s.%s", kind, typ, typ, other, diag.DidYouMean(typ, l.opts.Types.Names(kind), "%q"))
			return
		}
	}
	names := l.opts.Types.Names(kind)
	hint := diag.DidYouMean(typ, names, "%q")
	if hint == "" && len(names) > 0 {
		hint = " There is: " + strings.Join(names, ", ") + "."
	}
	l.fail(at, "Unknown type", "There is no %s of type %q.%s", kind, typ, hint)
}

func (l *loader) componentLabels(b *block, want []string) bool {
	form := b.typ
	for _, w := range want {
		form += " " + quote(w)
	}
	if len(b.labels) < len(want) {
		l.fail(b.at, "Missing name", "This block is written %s { … }.", form)
		return false
	}
	if len(b.labels) > len(want) {
		l.fail(b.labAt[len(want)], "Too many names", "This block is written %s { … }.", form)
		return false
	}
	if name := b.labels[len(want)-1]; !validName(name) {
		l.fail(b.labAt[len(want)-1], "Invalid name", "%q cannot be a name: names are made of letters, digits, \"_\" and \"-\", and begin with a letter or \"_\".", name)
		return false
	}
	return true
}

// what names the component for messages.
func (c *component) what() string {
	if c.Type == "" {
		return string(c.Kind) + " " + quote(c.Name)
	}
	return string(c.Kind) + " " + quote(c.Type)
}

func (c *component) pos() schema.Pos { return posOf(c.b.at) }

func posOf(r hcl.Range) schema.Pos {
	return schema.Pos{File: r.Filename, Line: r.Start.Line, Col: r.Start.Column}
}

// settingsOf are the arguments that all components of a kind have.
func (l *loader) settingsOf(kind schema.Kind) *schema.Block {
	if b := l.memos.settings[kind]; b != nil {
		return b
	}
	if l.memos.settings == nil {
		l.memos.settings = map[schema.Kind]*schema.Block{}
	}
	var b *schema.Block
	switch kind {
	case schema.Source:
		b = schema.Of(schema.DefaultSourceSettings())
	case schema.Sink:
		b = schema.Of(schema.DefaultSinkSettings())
	case schema.SinkGroup:
		b = schema.Of(schema.DefaultGroupSettings())
	case schema.Agent:
		b = schema.Of(schema.DefaultAgentSettings())
	default:
		b = &schema.Block{}
	}
	l.memos.settings[kind] = b
	return b
}

// build decodes a component: its own arguments and those of its kind.
func (l *loader) build(c *component, own *owner, args, inner []string) *decoding {
	own.ranges[c.Path()] = c.b.at
	d := &decoding{l: l, sc: c.b.sc, owner: own, path: c.Path(), what: c.what(), args: args, inner: inner, early: c.early}
	block := &schema.Block{}
	if c.Def != nil {
		block, d.about = c.Def.Block, &c.Def.About
	}
	cont := l.open(c.b)
	c.cont = cont
	if c.Def == nil && c.Type != "" {
		c.unsure = true
		return d // of an unknown type no argument can be checked
	}
	out := d.block(cont, part{block}, part{l.settingsOf(c.Kind)})
	c.Config, c.Settings, c.uses = out[0], out[1], d.uses
	l.giveProvider(d, c, block)
	if c.Def != nil {
		l.check(c.Def, c.Config, d, cont)
	}
	if err := schema.CheckSettings(c.Kind, c.Settings); err != nil && !d.unknown && !d.broken {
		l.objection(err, d, cont)
	}
	c.unsure = d.unknown || d.broken
	return d
}

// giveProvider fills the settings of the provider that a component talks through.
func (l *loader) giveProvider(d *decoding, c *component, block *schema.Block) {
	for i := range block.Attrs {
		a := &block.Attrs[i]
		if a.Type != schema.ProviderOf {
			continue
		}
		cfg, ok := l.provided(d, a, c.b.body.Attributes[a.Name], d.uses)
		if !ok {
			d.broken = true
			continue
		}
		c.Config[a.Name] = cfg
	}
}

// check asks the component's own code about combinations of arguments.
func (l *loader) check(def *schema.Type, cfg schema.Config, d *decoding, cont *contents) {
	if def.Check == nil || d.unknown || d.broken {
		return
	}
	for _, err := range separate(def.Check(cfg)) {
		l.objection(err, d, cont)
	}
}

// separate gives the errors that were joined.
func separate(err error) []error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return all.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// objection reports what the code of a component says of its arguments, at the argument that it begins with.
func (l *loader) objection(err error, d *decoding, cont *contents) {
	d.broken = true
	text := strings.ReplaceAll(sentence(err), "error parsing regexp:", "invalid pattern:")
	at, name := cont.at, ""
	better := func(n string) bool {
		return strings.HasPrefix(text, n) && len(n) > len(name) && !isNameByte(text, len(n))
	}
	for _, n := range sortedKeys(cont.attrs) {
		if better(n) {
			name, at = n, cont.attrs[n].Expr.Range()
		}
	}
	if d.owner != nil {
		for full, r := range d.owner.ranges {
			if n, ok := strings.CutPrefix(full, d.path+"."); ok && strings.Contains(n, ".") && better(n) {
				name, at = n, r
			}
		}
	}
	if !strings.HasSuffix(text, "?") {
		text += "."
	}
	l.fail(at, "Invalid configuration", "%s: %s", d.what, text)
}

func isNameByte(s string, i int) bool {
	return i < len(s) && (s[i] == '_' || s[i] >= 'a' && s[i] <= 'z' || s[i] >= '0' && s[i] <= '9')
}

// oneReference reads an argument of a component that the language itself gives a meaning, such as a sink's channel.
func (d *decoding) oneReference(cont *contents, name string, kind schema.Kind) (use, bool) {
	a := cont.attrs[name]
	if a == nil {
		return use{}, false
	}
	d.mark(name, a.Range())
	v, ok := d.l.eval(a.Expr, d.sc)
	if !ok {
		d.broken = true
		return use{}, false
	}
	if !v.IsKnown() {
		d.unknown, d.l.cfg.Incomplete = true, true
		return use{}, false
	}
	if v.IsNull() {
		return use{}, false
	}
	r, ok := d.oneRef(name, kind, v, a.Expr.Range())
	return use{name, r, a.Expr.Range()}, ok
}

func (d *decoding) manyReferences(cont *contents, name string, kind schema.Kind) ([]use, bool) {
	a := cont.attrs[name]
	if a == nil {
		return nil, true
	}
	d.mark(name, a.Range())
	v, ok := d.l.eval(a.Expr, d.sc)
	if !ok {
		d.broken = true
		return nil, false
	}
	if !v.IsWhollyKnown() {
		d.unknown, d.l.cfg.Incomplete = true, true
		return nil, false
	}
	if v.IsNull() {
		return nil, true
	}
	return d.refList(name, kind, v, a.Expr)
}

// literalBool reads an argument that is true or false.
func (d *decoding) boolean(cont *contents, name string) bool {
	a := cont.attrs[name]
	if a == nil {
		return false
	}
	v, ok := d.attr(&schema.Attr{Name: name, Type: schema.Bool}, a)
	b, _ := v.(bool)
	return ok && b
}
