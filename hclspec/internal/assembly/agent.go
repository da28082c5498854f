package assembly

import (
	"strings"

	"collect/hclspec/internal/decode"
	"collect/hclspec/internal/names"
	"collect/hclspec/internal/reading"
	"collect/hclspec/internal/ref"
	"collect/hclspec/internal/sorted"
	"collect/hclspec/schema"
)

var (
	metaArgs    = []string{"count", "for_each", "depends_on"}
	agentBlocks = []string{"source", "channel", "sink", "sink_group", "lifecycle"}
)

// buildAgent evaluates one agent to its spec.
func (bl *Builder) buildAgent(inst *names.Instance) {
	if !inst.ExpandParts(bl.Names) && inst.Contents == nil {
		return
	}
	own := decode.NewOwner()
	body := inst.Resource.Block.Body
	own.Ranges[""] = inst.Resource.Block.DefRange()
	a := &Agent{Ranges: own.Ranges, Secrets: own.Secrets}
	d := &decode.Decoding{Decoder: bl.Decoder, Scope: inst.Scope, Owner: own, What: "agent", Args: metaArgs, Inner: agentBlocks}
	set := d.Block(inst.Contents, decode.Part{Block: bl.settingsOf(schema.Agent)})[0]
	a.Spec = schema.AgentSpec{Version: schema.SpecVersion, Address: inst.Addr, Settings: set, At: names.PosOf(inst.Resource.Block.DefRange())}
	bl.checkEnv(set, own)
	if inst.State == reading.Done && !inst.Contents.Open && !hasParts(inst.Contents) {
		bl.Warn(inst.Resource.Block.DefRange(), "Agent without parts", "Agent %q declares no source, channel or sink, so it does nothing.", inst.Resource.Name)
	}
	w := &wiring{bl: bl, inst: inst, own: own, spec: &a.Spec, unsure: inst.Phantom || inst.Lacks || inst.State == reading.Failed}
	w.deadLetter, _ = deadLetterOf(d.Uses)
	for _, c := range inst.Components {
		w.component(c)
	}
	w.unsure = w.unsure || d.Broken || d.Unknown
	a.Lifecycle = bl.lifecycle(inst.Contents, inst.Scope, append([]string{"source", "channel", "sink", "sink_group"}, decode.ArgumentsOf(bl.settingsOf(schema.Agent))...))
	a.DependsOn = w.dependsOn(bl.dependencies(inst.Addr, body.Attributes["depends_on"]))
	if len(set) == 0 {
		a.Spec.Settings = nil
	}
	bl.Diags = append(bl.Diags, bl.graph.CheckAgent(w.topology())...)
	if !inst.Phantom {
		bl.out.Agents = append(bl.out.Agents, a)
	}
}

// hasParts says whether an agent holds any block of its own, be it wrong.
func hasParts(c *names.Contents) bool {
	for _, b := range c.Blocks {
		if b.Type != "lifecycle" && b.Type != "metrics" {
			return true
		}
	}
	return false
}

// checkEnv refuses names and values that no environment can hold: the process could not start.
func (bl *Builder) checkEnv(set schema.Config, own *decode.Owner) {
	env, _ := set["env"].(map[string]any)
	for _, name := range sorted.Keys(env) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			bl.Fail(own.Ranges["env"], "Invalid name", "%q cannot be the name of an environment variable.", name)
		}
		if s, ok := env[name].(string); ok && strings.Contains(s, "\x00") {
			bl.Fail(own.Ranges["env"], "Invalid value", "The value of %q holds a NUL byte, which no environment variable can hold.", name)
		}
	}
}

func deadLetterOf(uses []ref.Use) (ref.Use, bool) {
	for _, u := range uses {
		if u.Attr == "dead_letter" {
			return u, true
		}
	}
	return ref.Use{}, false
}
