package hclspec

import (
	"collect/hclspec/internal/topology"
	"collect/hclspec/schema"
)

// topicType finds the type whose arguments a topic block has. There is one.
func (l *loader) topicType() (*schema.Type, bool) {
	for _, name := range l.opts.Types.Names(schema.Topic) {
		return l.opts.Types.Lookup(schema.Topic, name)
	}
	return nil, false
}

// buildTopic evaluates one topic.
func (l *loader) buildTopic(inst *instance) {
	at := inst.res.block.DefRange()
	def, ok := l.topicType()
	if !ok {
		l.fail(at, "Unknown block", "This program knows no topics.")
		return
	}
	own := newOwner()
	d := &decoding{l: l, sc: inst.sc, owner: own, what: "topic", about: &def.About, args: metaArgs, inner: []string{"lifecycle"}, early: inst.early}
	cont := l.contents(inst.res.block.Body, inst.sc)
	cont.at = at
	if cont.attrs["name"] == nil && (inst.res.each || inst.res.counted) {
		l.fail(at, "Missing argument", "A topic with for_each or count needs \"name\", which makes each of its topics different: name = \"%s-${each.key}\".", inst.res.name)
		d.broken = true
	}
	cfg := d.block(cont, part{def.Block})[0]
	if cfg["name"] == "" {
		l.fail(own.ranges["name"], "Invalid configuration", "A topic needs a name. Without this argument it has that of the block, %q.", inst.res.name)
		d.broken = true
	}
	if _, ok := cfg["name"]; !ok && !d.broken && !d.unknown {
		cfg["name"] = inst.res.name
	}
	t := &Topic{Address: inst.addr, Config: cfg, Secrets: own.secrets, Range: at, Ranges: own.ranges}
	for i := range def.Block.Attrs {
		a := &def.Block.Attrs[i]
		if a.Type != schema.ProviderOf {
			continue
		}
		if v, ok := l.provided(d, a, cont.attrs[a.Name], nil); ok {
			cfg[a.Name] = v
		} else {
			d.broken = true
		}
		k, _ := l.chooseProvider(cont.attrs[a.Name], a.Provider)
		t.Cluster = k.alias
	}
	l.check(def, cfg, d, cont)
	t.DependsOn = l.dependencies(inst.addr, cont.attrs["depends_on"])
	t.Lifecycle = l.lifecycle(cont, inst.sc, argumentsOf(def.Block))
	if !inst.phantom {
		if name, ok := cfg["name"].(string); ok {
			nameAt, given := own.ranges["name"]
			if !given {
				nameAt = at
			}
			l.graph.AddTopic(topology.Topic{Addr: t.Address, Name: name, Cluster: t.Cluster, At: at, NameAt: nameAt})
		}
		l.cfg.Topics = append(l.cfg.Topics, t)
	}
}
