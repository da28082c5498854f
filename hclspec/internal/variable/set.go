// Package variable is the variable blocks of a configuration and the values that they are given: by the environment, by files, by
// options.
package variable

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/reading"
)

// Set is the variables of a configuration.
type Set struct {
	*reading.Reading
	ByName map[string]*Variable
	eval   func(hclsyntax.Expression) (cty.Value, bool) // for validations, which may use other values
	unread bool                                         // a file of values cannot be read
}

// Value is one -var (Name and Text) or -var-file (File).
type Value struct {
	Name, Text string
	File       string
}

// New gives a set without variables.
func New(rd *reading.Reading, eval func(hclsyntax.Expression) (cty.Value, bool)) *Set {
	return &Set{Reading: rd, ByName: map[string]*Variable{}, eval: eval}
}
