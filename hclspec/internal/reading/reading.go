// Package reading is one reading of a configuration: its files, the limits that it keeps to, and what is found wrong on the way.
// Every part of the language reports through it.
package reading

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"collect/hclspec/internal/bounded"
	"collect/hclspec/internal/machine"
)

// Reading is what all parts of the language share while a configuration is read.
type Reading struct {
	Files      map[string]*hcl.File // by the names that diagnostics use
	Diags      hcl.Diagnostics
	Partial    bool   // required variables may lack a value
	Incomplete bool   // with partial: something depends on a value that is not given
	Missing    string // an example of such a value
	Machine    *machine.Machine
	Meter      *bounded.Meter
	Limits     bounded.Limits
	Blocks     int  // that count, for_each and dynamic have made
	tooMuch    bool // everything together is too large, and that is said
}

// New begins a reading; environ is NAME=value.
func New(environ []string, partial bool, limits bounded.Limits) *Reading {
	rd := &Reading{Files: map[string]*hcl.File{}, Partial: partial, Limits: limits, Meter: bounded.New(limits)}
	rd.Machine = machine.New(environ, partial, rd.Meter)
	return rd
}

// Duplicate reports a block that is declared a second time.
func (rd *Reading) Duplicate(b *hclsyntax.Block, what string, first hcl.Range) {
	rd.Fail(b.DefRange(), "Declared twice", "The %s is already declared at %s:%d.", what, first.Filename, first.Start.Line)
}
