package assembly

import (
	"collect/hclspec/internal/decode"
	"collect/hclspec/internal/names"
	"collect/hclspec/schema"
)

// settingsOf are the arguments that all components of a kind have.
func (bl *Builder) settingsOf(kind schema.Kind) *schema.Block {
	if b := bl.settings[kind]; b != nil {
		return b
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
	bl.settings[kind] = b
	return b
}

// build decodes a component: its own arguments and those of its kind.
func (bl *Builder) build(c *names.Component, own *decode.Owner, args, inner []string) *decode.Decoding {
	own.Ranges[c.Path()] = c.Block.At
	d := &decode.Decoding{Decoder: bl.Decoder, Scope: c.Block.Scope, Owner: own, Path: c.Path(), What: c.What(), Args: args, Inner: inner, Early: c.Early}
	block := &schema.Block{}
	if c.Def != nil {
		block, d.About = c.Def.Block, &c.Def.About
	}
	cont := bl.Open(c.Block)
	c.Contents = cont
	if c.Def == nil && c.Type != "" {
		c.Unsure = true
		return d // of an unknown type no argument can be checked
	}
	out := d.Block(cont, decode.Part{Block: block}, decode.Part{Block: bl.settingsOf(c.Kind)})
	c.Config, c.Settings, c.References = out[0], out[1], d.Uses
	bl.giveProvider(d, c, block)
	if c.Def != nil {
		bl.check(c.Def, c.Config, d, cont)
	}
	if err := schema.CheckSettings(c.Kind, c.Settings); err != nil && !d.Unknown && !d.Broken {
		bl.objection(err, d, cont)
	}
	c.Unsure = d.Unknown || d.Broken
	return d
}

// giveProvider fills the settings of the provider that a component talks through.
func (bl *Builder) giveProvider(d *decode.Decoding, c *names.Component, block *schema.Block) {
	for i := range block.Attrs {
		a := &block.Attrs[i]
		if a.Type != schema.ProviderOf {
			continue
		}
		cfg, ok := bl.provided(d, a, c.Block.Body.Attributes[a.Name], d.Uses)
		if !ok {
			d.Broken = true
			continue
		}
		c.Config[a.Name] = cfg
	}
}
