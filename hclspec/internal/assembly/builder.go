// Package assembly makes of blocks what the rest of the program works with: agents with their specs, topics, providers, and the
// edges between them.
package assembly

import (
	"slices"
	"strings"

	"collect/hclspec/internal/decode"
	"collect/hclspec/internal/names"
	"collect/hclspec/internal/sorted"
	"collect/hclspec/internal/topology"
	"collect/hclspec/schema"
)

// Builder builds everything that a configuration declares.
type Builder struct {
	*decode.Decoder
	providers map[names.ProviderKey]*provider
	graph     *topology.Graph
	settings  map[schema.Kind]*schema.Block

	out Result
}

// Result is what was built.
type Result struct {
	Agents    []*Agent // sorted by address
	Topics    []*Topic // sorted by address
	Providers []*Provider
	Edges     []topology.Edge
}

// New gives a builder of nothing yet.
func New(dc *decode.Decoder) *Builder {
	bl := &Builder{Decoder: dc, providers: map[names.ProviderKey]*provider{}, settings: map[schema.Kind]*schema.Block{}}
	bl.graph = topology.New(bl.settingsOf)
	return bl
}

// All evaluates providers, topics and agents, in a fixed order, and checks how they are put together.
func (bl *Builder) All() Result {
	for _, k := range sortedProviders(bl.providers) {
		bl.providers[k].get(bl)
	}
	for _, name := range sorted.Keys(bl.Topics) {
		for _, inst := range bl.Topics[name].Expand(bl.Names) {
			bl.buildTopic(inst)
		}
	}
	for _, name := range sorted.Keys(bl.Agents) {
		for _, inst := range bl.Agents[name].Expand(bl.Names) {
			bl.buildAgent(inst)
		}
	}
	bl.finishProviders()
	bl.Diags = append(bl.Diags, bl.graph.Check()...)
	bl.out.Edges = bl.graph.Edges()
	slices.SortFunc(bl.out.Agents, func(a, b *Agent) int { return strings.Compare(a.Spec.Address, b.Spec.Address) })
	slices.SortFunc(bl.out.Topics, func(a, b *Topic) int { return strings.Compare(a.Address, b.Address) })
	return bl.out
}
