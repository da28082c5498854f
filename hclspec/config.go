// Package hclspec is the language: it turns the HCL files of a directory into an evaluated [Config]: agents as specs that need no
// further evaluation, topics, providers, outputs, and the edges between them. It reads files and values, and decides
// everything that can be decided before anything runs. It never looks at what is running.
package hclspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/bounded"
	"collect/hclspec/internal/topology"
	"collect/hclspec/schema"
)

// Options say what to load and with which values.
type Options struct {
	Dir     string       // directory with the *.hcl files
	Types   schema.Types // component types that exist
	Values  []Value      // -var and -var-file, in the order of the command line
	Environ []string     // NAME=value; COLLECT_VAR_name gives variables, env() reads the rest
	// DataDir gives the data directory for an installation's name and its data_dir argument ("" when not given).
	DataDir func(name, declared string) (string, error)
	// Fingerprint gives a keyed fingerprint of a secret value.
	Fingerprint func(secret string) string
	// Partial allows required variables without a value (for validate): what depends on them is not checked.
	Partial bool
	Version string // of this program, for required_version

	limits *bounded.Limits // nil: the usual ones
}

// Value is one -var (Name and Text) or -var-file (File).
type Value struct {
	Name, Text string
	File       string
}

// Config is an evaluated configuration.
type Config struct {
	Name         string // of the installation
	NameDeclared bool   // false: it is only the directory's name
	TimeZone     string // of the collect block, "" when not given
	Root         string // the directory, absolute, without links
	DataDir      string
	Agents       []*Agent // sorted by address
	Topics       []*Topic // sorted by address
	Providers    []*Provider
	Outputs      []Output // sorted by name
	Edges        []Edge
	Files        map[string]*hcl.File // by the names that diagnostics use
	OutsideReads []string             // files read outside Root, sorted
	Incomplete   bool                 // only with Partial: something depends on a value that is not given
}

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

// Output is one output value.
type Output struct {
	Name        string
	Value       cty.Value // without marks
	Sensitive   bool
	Description string
}

// Edge is one arrow of the topology.
type Edge = topology.Edge
