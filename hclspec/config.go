// Package hclspec is the language: it turns the HCL files of a directory into an evaluated [Config]: agents as specs that need no
// further evaluation, topics, providers, outputs, and the edges between them. It reads files and values, and decides
// everything that can be decided before anything runs. It never looks at what is running.
package hclspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/assembly"
	"collect/hclspec/internal/bounded"
	"collect/hclspec/internal/topology"
	"collect/hclspec/internal/variable"
	"collect/hclspec/schema"
)

// Options say what to load and with which values.
type Options struct {
	Dir     string           // directory with the *.hcl files
	Types   schema.Types     // component types that exist
	Values  []variable.Value // -var and -var-file, in the order of the command line
	Environ []string         // NAME=value; COLLECT_VAR_name gives variables, env() reads the rest
	// DataDir gives the data directory for an installation's name and its data_dir argument ("" when not given).
	DataDir func(name, declared string) (string, error)
	// Fingerprint gives a keyed fingerprint of a secret value.
	Fingerprint func(secret string) string
	// Partial allows required variables without a value (for validate): what depends on them is not checked.
	Partial bool
	Version string // of this program, for required_version

	limits *bounded.Limits // nil: the usual ones
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

// Output is one output value.
type Output struct {
	Name        string
	Value       cty.Value // without marks
	Sensitive   bool
	Description string
}

// What a configuration declares, as it was evaluated.
type (
	// Agent is one agent instance.
	Agent = assembly.Agent
	// Topic is one declared topic.
	Topic = assembly.Topic
	// Provider is one provider block; a provider that is used and not declared has its defaults.
	Provider = assembly.Provider
	// Lifecycle is the lifecycle block.
	Lifecycle = assembly.Lifecycle
	// Edge is one arrow of the topology.
	Edge = topology.Edge
	// Value is one -var (Name and Text) or -var-file (File).
	Value = variable.Value
)

// DevelopmentBroker stands for the address of the development broker in a list of brokers.
const DevelopmentBroker = assembly.DevelopmentBroker
