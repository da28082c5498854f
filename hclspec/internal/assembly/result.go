package assembly

import (
	"github.com/hashicorp/hcl/v2"

	"collect/hclspec/schema"
)

// Agent is one agent instance.
type Agent struct {
	Spec      schema.AgentSpec
	Secrets   schema.Secrets // values of the secrets that Spec names
	DependsOn []string       // addresses: declared ones, topics it uses, agents it sends to
	Lifecycle Lifecycle
	// Ranges gives the place of each part of the agent: by "source.log", "source.log.interceptor[0]", "channel.c.max_size", …
	Ranges map[string]hcl.Range
}

// Topic is one declared topic.
type Topic struct {
	Address   string        // topic.NAME or topic.NAME["KEY"]
	Config    schema.Config // name, partitions, replication_factor, config; and provider: its settings
	Cluster   string        // alias of the provider, "" for the default one
	Secrets   schema.Secrets
	DependsOn []string
	Lifecycle Lifecycle
	Range     hcl.Range
	Ranges    map[string]hcl.Range // by argument
}

// Provider is one provider block; a provider that is used and not declared has its defaults.
type Provider struct {
	Type, Alias string
	Config      schema.Config
	Secrets     schema.Secrets
	Range       hcl.Range
	// Development says that no brokers are declared: the development broker stands in.
	Development bool
}

// Lifecycle is the lifecycle block.
type Lifecycle struct {
	PreventDestroy bool
	IgnoreChanges  []string
}
