package hclspec

import (
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/diag"
	"collect/hclspec/schema"
)

// DevelopmentBroker stands for the address of the development broker in a list of brokers: the address itself is chosen
// once, when the broker is made, and is part of no spec.
const DevelopmentBroker = "@development_broker"

type providerKey struct{ typ, alias string }

// String gives the name as it is written: kafka, kafka.b.
func (k providerKey) String() string {
	if k.alias == "" {
		return k.typ
	}
	return k.typ + "." + k.alias
}

// provider is one provider block, or the default of a type that has none.
type provider struct {
	key   providerKey
	block *hclsyntax.Block // nil: not declared
	state state
	out   *Provider
	used  bool
}

func (l *loader) declareProvider(b *hclsyntax.Block) {
	k := providerKey{typ: b.Labels[0]}
	if a := b.Body.Attributes["alias"]; a != nil {
		name, ok := l.constantText(a.Expr)
		if !ok || !validName(name) {
			l.fail(a.Expr.Range(), "Invalid name", "alias is a name in quotes, made of letters, digits, \"_\" and \"-\".")
			return
		}
		k.alias = name
	}
	if old := l.providers[k]; old != nil {
		if k.alias == "" {
			l.fail(b.DefRange(), "Declared twice", "The provider %q is already declared at %s:%d. A second one needs alias = \"NAME\".", k.typ, old.block.DefRange().Filename, old.block.DefRange().Start.Line)
			return
		}
		l.duplicate(b, "provider "+k.String(), old.block.DefRange())
		return
	}
	l.providers[k] = &provider{key: k, block: b}
}

func sortedProviders(m map[providerKey]*provider) []providerKey {
	keys := make([]providerKey, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
	return keys
}

// get evaluates a provider once; nil: wrong, and reported.
func (p *provider) get(l *loader) *Provider {
	switch p.state {
	case done, failed:
		return p.out
	case running:
		l.cycle("provider " + p.key.String())
		return nil
	}
	p.state = running
	defer func() {
		if p.state == running {
			p.state = done
		}
	}()
	if p.block == nil {
		p.out = &Provider{Type: p.key.typ, Config: schema.Config{}}
		l.developmentBroker(p)
		return p.out
	}
	def, ok := l.opts.Types.Lookup(schema.Provider, p.key.typ)
	if !ok {
		l.unknownType(schema.Provider, p.key.typ, p.block.LabelRanges[0])
		p.state = failed
		return nil
	}
	if !l.enter("provider "+p.key.String(), p.block.DefRange()) {
		p.state = failed
		return nil
	}
	defer l.leave()
	return p.evaluate(l, def)
}

func (p *provider) evaluate(l *loader, def *schema.Type) *Provider {
	sc := &scope{label: "provider " + quote(p.key.typ)}
	own := newOwner()
	d := &decoding{l: l, sc: sc, owner: own, path: "provider." + p.key.String(), what: "provider " + quote(p.key.typ), about: &def.About, args: []string{"alias"}}
	cont := l.contents(p.block.Body, sc)
	cont.at = p.block.DefRange()
	cfg := d.block(cont, part{def.Block})[0]
	l.check(def, cfg, d, cont)
	if d.broken {
		p.state = failed
		return nil
	}
	p.out = &Provider{Type: p.key.typ, Alias: p.key.alias, Config: cfg, Secrets: own.secrets, Range: p.block.DefRange()}
	if !d.unknown {
		l.developmentBroker(p)
	}
	return p.out
}

// developmentBroker puts the development broker in where no brokers are declared.
func (l *loader) developmentBroker(p *provider) {
	def, ok := l.opts.Types.Lookup(schema.Provider, p.key.typ)
	if !ok {
		return
	}
	if a, ok := def.Block.Attr("brokers"); !ok || a.Type != schema.StringList {
		return
	}
	if list, given := p.out.Config["brokers"].([]any); given && len(list) > 0 {
		return
	}
	p.out.Config["brokers"] = []any{DevelopmentBroker}
	p.out.Development = true
}

// chooseProvider reads an argument such as provider = kafka.b; without it the default one is meant.
func (l *loader) chooseProvider(a *hclsyntax.Attribute, typ string) (providerKey, bool) {
	k := providerKey{typ: typ}
	if a == nil {
		return k, true
	}
	t, diags := hcl.AbsTraversalForExpr(a.Expr)
	if !diags.HasErrors() && len(t) <= 2 {
		k.typ = t.RootName()
		if len(t) == 2 {
			k.alias, _ = stepName(t[1])
		}
		if len(t) == 1 || k.alias != "" {
			return k, true
		}
	}
	l.fail(a.Expr.Range(), "Wrong reference", "A provider is named by its type and alias, such as %s or %s.ALIAS.", typ, typ)
	return k, false
}

// provided gives the settings of the provider that a component or topic uses. A topic among its references decides, unless
// the argument says the same.
func (l *loader) provided(d *decoding, a *schema.Attr, at *hclsyntax.Attribute, uses []use) (any, bool) {
	k, ok := l.chooseProvider(at, a.Provider)
	if !ok {
		return nil, false
	}
	for _, u := range uses {
		if u.ref.Kind != schema.Topic {
			continue
		}
		of := providerKey{a.Provider, u.ref.Attrs["cluster"]}
		if at != nil && of != k {
			l.fail(at.Expr.Range(), "Two providers", "%s belongs to provider %s, and this argument chooses %s. Leave provider out: the topic brings its own.", u.ref.Local, of, k)
			return nil, false
		}
		k, at = of, nil
	}
	if k.typ != a.Provider {
		l.fail(at.Expr.Range(), "Wrong provider", "%q takes a provider of type %q, not %q.", a.Name, a.Provider, k.typ)
		return nil, false
	}
	p, ok := l.findProvider(k, at)
	if !ok {
		return nil, false
	}
	p.used = true
	out := p.get(l)
	if out == nil {
		return nil, false
	}
	for name, v := range out.Secrets {
		d.owner.secrets[name] = v
	}
	return map[string]any(out.Config), true
}

func (l *loader) findProvider(k providerKey, at *hclsyntax.Attribute) (*provider, bool) {
	p := l.providers[k]
	if p != nil {
		return p, true
	}
	if k.alias == "" {
		p = &provider{key: k}
		l.providers[k] = p
		return p, true
	}
	var known []string
	for _, other := range sortedProviders(l.providers) {
		if other.typ == k.typ && other.alias != "" {
			known = append(known, other.String())
		}
	}
	if at != nil {
		l.fail(at.Expr.Range(), "Undeclared provider", "No provider %q block has alias = %q.%s", k.typ, k.alias, diag.DidYouMean(k.String(), known, "%s"))
	}
	return nil, false
}

// finishProviders lists the providers: declared ones, and the default of a type that is used without a block.
func (l *loader) finishProviders() {
	for _, k := range sortedProviders(l.providers) {
		if p := l.providers[k]; p.out != nil {
			l.cfg.Providers = append(l.cfg.Providers, p.out)
		}
	}
}
