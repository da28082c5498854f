package assembly

import (
	"collect/hclspec/internal/decode"
	"collect/hclspec/internal/names"
	"collect/hclspec/internal/topology"
	"collect/hclspec/schema"
)

// topicType finds the type whose arguments a topic block has. There is one.
func (bl *Builder) topicType() (*schema.Type, bool) {
	for _, name := range bl.Types.Names(schema.Topic) {
		return bl.Types.Lookup(schema.Topic, name)
	}
	return nil, false
}

// buildTopic evaluates one topic.
func (bl *Builder) buildTopic(inst *names.Instance) {
	at := inst.Resource.Block.DefRange()
	def, ok := bl.topicType()
	if !ok {
		bl.Fail(at, "Unknown block", "This program knows no topics.")
		return
	}
	own := decode.NewOwner()
	d := &decode.Decoding{Decoder: bl.Decoder, Scope: inst.Scope, Owner: own, What: "topic", About: &def.About, Args: metaArgs, Inner: []string{"lifecycle"}, Early: inst.Early}
	cont := bl.Contents(inst.Resource.Block.Body, inst.Scope)
	cont.At = at
	if cont.Attrs["name"] == nil && (inst.Resource.Each || inst.Resource.Counted) {
		bl.Fail(at, "Missing argument", "A topic with for_each or count needs \"name\", which makes each of its topics different: name = \"%s-${each.key}\".", inst.Resource.Name)
		d.Broken = true
	}
	cfg := d.Block(cont, decode.Part{Block: def.Block})[0]
	if cfg["name"] == "" {
		bl.Fail(own.Ranges["name"], "Invalid configuration", "A topic needs a name. Without this argument it has that of the block, %q.", inst.Resource.Name)
		d.Broken = true
	}
	if _, ok := cfg["name"]; !ok && !d.Broken && !d.Unknown {
		cfg["name"] = inst.Resource.Name
	}
	t := &Topic{Address: inst.Addr, Config: cfg, Secrets: own.Secrets, Range: at, Ranges: own.Ranges}
	for i := range def.Block.Attrs {
		a := &def.Block.Attrs[i]
		if a.Type != schema.ProviderOf {
			continue
		}
		if v, ok := bl.provided(d, a, cont.Attrs[a.Name], nil); ok {
			cfg[a.Name] = v
		} else {
			d.Broken = true
		}
		k, _ := bl.ChooseProvider(cont.Attrs[a.Name], a.Provider)
		t.Cluster = k.Alias
	}
	bl.check(def, cfg, d, cont)
	t.DependsOn = bl.dependencies(inst.Addr, cont.Attrs["depends_on"])
	t.Lifecycle = bl.lifecycle(cont, inst.Scope, decode.ArgumentsOf(def.Block))
	if !inst.Phantom {
		if name, ok := cfg["name"].(string); ok {
			nameAt, given := own.Ranges["name"]
			if !given {
				nameAt = at
			}
			bl.graph.AddTopic(topology.Topic{Addr: t.Address, Name: name, Cluster: t.Cluster, At: at, NameAt: nameAt})
		}
		bl.out.Topics = append(bl.out.Topics, t)
	}
}
