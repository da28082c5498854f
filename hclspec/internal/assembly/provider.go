package assembly

import (
	"sort"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/decode"
	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/names"
	"collect/hclspec/internal/reading"
	"collect/hclspec/internal/ref"
	"collect/hclspec/schema"
)

// DevelopmentBroker stands for the address of the development broker in a list of brokers: the address itself is chosen
// once, when the broker is made, and is part of no spec.
const DevelopmentBroker = "@development_broker"

// provider is one provider block, or the default of a type that has none.
type provider struct {
	key   names.ProviderKey
	block *hclsyntax.Block // nil: not declared
	state reading.State
	out   *Provider
}

// DeclareProvider takes in a provider block.
func (bl *Builder) DeclareProvider(b *hclsyntax.Block) {
	k := names.ProviderKey{Type: b.Labels[0]}
	if a := b.Body.Attributes["alias"]; a != nil {
		name, ok := bl.ConstantText(a.Expr)
		if !ok || !ref.ValidName(name) {
			bl.Fail(a.Expr.Range(), "Invalid name", "alias is a name in quotes, made of letters, digits, \"_\" and \"-\".")
			return
		}
		k.Alias = name
	}
	if old := bl.providers[k]; old != nil {
		if k.Alias == "" {
			bl.Fail(b.DefRange(), "Declared twice", "The provider %q is already declared at %s:%d. A second one needs alias = \"NAME\".", k.Type, old.block.DefRange().Filename, old.block.DefRange().Start.Line)
			return
		}
		bl.Duplicate(b, "provider "+k.String(), old.block.DefRange())
		return
	}
	bl.register(&provider{key: k, block: b})
}

// register makes a provider known, and its type to those that give advice on names.
func (bl *Builder) register(p *provider) {
	bl.providers[p.key] = p
	bl.ProviderTypes[p.key.Type] = true
}

func sortedProviders(m map[names.ProviderKey]*provider) []names.ProviderKey {
	keys := make([]names.ProviderKey, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
	return keys
}

// get evaluates a provider once; nil: wrong, and reported.
func (p *provider) get(bl *Builder) *Provider {
	switch p.state {
	case reading.Done, reading.Failed:
		return p.out
	case reading.Running:
		bl.Cycle("provider " + p.key.String())
		return nil
	}
	p.state = reading.Running
	defer func() {
		if p.state == reading.Running {
			p.state = reading.Done
		}
	}()
	if p.block == nil {
		p.out = &Provider{Type: p.key.Type, Config: schema.Config{}}
		bl.developmentBroker(p)
		return p.out
	}
	def, ok := bl.Types.Lookup(schema.Provider, p.key.Type)
	if !ok {
		bl.UnknownType(schema.Provider, p.key.Type, p.block.LabelRanges[0])
		p.state = reading.Failed
		return nil
	}
	if !bl.Enter("provider "+p.key.String(), p.block.DefRange()) {
		p.state = reading.Failed
		return nil
	}
	defer bl.Leave()
	return p.evaluate(bl, def)
}

func (p *provider) evaluate(bl *Builder, def *schema.Type) *Provider {
	sc := &names.Scope{}
	own := decode.NewOwner()
	d := &decode.Decoding{Decoder: bl.Decoder, Scope: sc, Owner: own, Path: "provider." + p.key.String(), What: "provider " + diag.Quote(p.key.Type), About: &def.About, Args: []string{"alias"}}
	cont := bl.Contents(p.block.Body, sc)
	cont.At = p.block.DefRange()
	cfg := d.Block(cont, decode.Part{Block: def.Block})[0]
	bl.check(def, cfg, d, cont)
	if d.Broken {
		p.state = reading.Failed
		return nil
	}
	p.out = &Provider{Type: p.key.Type, Alias: p.key.Alias, Config: cfg, Secrets: own.Secrets, Range: p.block.DefRange()}
	if !d.Unknown {
		bl.developmentBroker(p)
	}
	return p.out
}

// developmentBroker puts the development broker in where no brokers are declared.
func (bl *Builder) developmentBroker(p *provider) {
	def, ok := bl.Types.Lookup(schema.Provider, p.key.Type)
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

// provided gives the settings of the provider that a component or topic uses. A topic among its references decides, unless
// the argument says the same.
func (bl *Builder) provided(d *decode.Decoding, a *schema.Attr, at *hclsyntax.Attribute, uses []ref.Use) (any, bool) {
	k, ok := bl.ChooseProvider(at, a.Provider)
	if !ok {
		return nil, false
	}
	for _, u := range uses {
		if u.Ref.Kind != schema.Topic {
			continue
		}
		of := names.ProviderKey{Type: a.Provider, Alias: u.Ref.Attrs["cluster"]}
		if at != nil && of != k {
			bl.Fail(at.Expr.Range(), "Two providers", "%s belongs to provider %s, and this argument chooses %s. Leave provider out: the topic brings its own.", u.Ref.Local, of, k)
			return nil, false
		}
		k, at = of, nil
	}
	if k.Type != a.Provider {
		bl.Fail(at.Expr.Range(), "Wrong provider", "%q takes a provider of type %q, not %q.", a.Name, a.Provider, k.Type)
		return nil, false
	}
	p, ok := bl.findProvider(k, at)
	if !ok {
		return nil, false
	}
	out := p.get(bl)
	if out == nil {
		return nil, false
	}
	for name, v := range out.Secrets {
		d.Owner.Secrets[name] = v
	}
	return map[string]any(out.Config), true
}

func (bl *Builder) findProvider(k names.ProviderKey, at *hclsyntax.Attribute) (*provider, bool) {
	p := bl.providers[k]
	if p != nil {
		return p, true
	}
	if k.Alias == "" {
		p = &provider{key: k}
		bl.register(p)
		return p, true
	}
	var known []string
	for _, other := range sortedProviders(bl.providers) {
		if other.Type == k.Type && other.Alias != "" {
			known = append(known, other.String())
		}
	}
	if at != nil {
		bl.Fail(at.Expr.Range(), "Undeclared provider", "No provider %q block has alias = %q.%s", k.Type, k.Alias, diag.DidYouMean(k.String(), known, "%s"))
	}
	return nil, false
}

// finishProviders lists the providers: declared ones, and the default of a type that is used without a block.
func (bl *Builder) finishProviders() {
	for _, k := range sortedProviders(bl.providers) {
		if p := bl.providers[k]; p.out != nil {
			bl.out.Providers = append(bl.out.Providers, p.out)
		}
	}
}
